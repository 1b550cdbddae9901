"""After whatever fate the simulator draws, the recount agrees with what the routers wrote.

Two judges that share no code: the simulator's checks hold at every step, the recount at the end.
"""

import pytest
from sqlalchemy import insert

from broker.avro.codec import decode_event
from broker.log.ports import TopicPartition
from broker.store.control import ControlEventRow
from broker.verify.recount import recount_log
from tests.sim.test_flow import ALL_ACTS
from tests.sim.world import World

from .conftest import add_plan, book, empty_database


@pytest.mark.parametrize("seed", range(40))
def test_every_fate_agrees(seed: int) -> None:
    """Crashes, evictions, lost answers and unwritable topics leave nothing to differ."""
    world = World(seed, workers=1 + seed % 3)
    world.run(60, ALL_ACTS)
    world.settle()
    database = empty_database()
    add_plan(database, "basic", world.clock.now())
    reader = world.log.reader(committed=True)
    events = reader.read(TopicPartition("weir.control", 0), 0, records_max=10_000, timeout_s=1)
    with database.begin() as connection:
        for data in events.records.values:
            control = decode_event(data or b"")
            row = {
                "seq": control.seq,
                "at_ms": control.at_ms,
                "kind": type(control.event).__name__,
                "canonical": data,
                "published_at": world.clock.now(),
            }
            connection.execute(insert(ControlEventRow), [row])
    book(world.log, database)
    report = recount_log(world.log, database, timeout_s=1, ledger_wait_s=0.0)
    database.dispose()
    assert [str(one) for one in report.differences] == []
    assert report.agrees
    assert report.chain_only == ()
    for one in report.subscriptions:
        assert one.entitled_records == one.delivered_records == one.billed_records
