"""The ledger on the log in memory and a real PostgreSQL: applied once, in spite of everything."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError

from broker import metrics
from broker.avro.codec import encode_segment
from broker.domain.segment import GENESIS_DIGEST, Delivery, Segment, usage_key
from broker.errors import UnavailableError
from broker.ledger.app import ledger_app
from broker.ledger.apply import Apply
from broker.ledger.reader import TOPIC, UsageReader
from broker.ledger.reading import Batch
from broker.ledger.sink import Sink
from broker.log.memory import MemoryLog
from broker.log.ports import TopicPartition
from broker.store.base import engine
from broker.store.migrate import migrate
from broker.streams import serve

TOPIC_ID = "0b5e2f64-0000-4000-8000-000000000001"


def first(partition: int = 0, flow: str = "live") -> Segment:
    """Number 1 of a chain: ten records, two subscriptions."""
    return Segment(
        topic="product.acme.wind",
        topic_id=TOPIC_ID,
        product="acme/wind",
        partition=partition,
        flow=flow,
        kind="records",
        number=1,
        first_offset=0,
        next_offset=10,
        seq=7,
        source_records=10,
        source_bytes=1000,
        refused=(),
        quarter_ms=900_000,
        billing_first_ms=900_001,
        watermark_ms=900_100,
        previous_digest=GENESIS_DIGEST,
        deliveries=(Delivery("sub-1", 10, 1000, bytes(32)), Delivery("sub-2", 4, 400, bytes(32))),
        undeliverable=(),
    )


def chain(length: int, partition: int = 0, flow: str = "live") -> list[Segment]:
    """A valid chain in which every third segment is empty."""
    made = [first(partition, flow)]
    for number in range(2, length + 1):
        last = made[-1]
        digest = sha256(encode_segment(last)).digest()
        step = replace(last, number=number, first_offset=last.next_offset, previous_digest=digest)
        empty = {"kind": "empty", "deliveries": (), "seq": last.seq + 1}
        full = {"kind": "records", "next_offset": last.next_offset + 10}
        full["deliveries"] = made[0].deliveries
        made.append(replace(step, **(empty if number % 3 == 0 else full)))
    return made


def write(log: MemoryLog, segments: Sequence[Segment], *, outcome: str = "commit") -> None:
    """Write segments into weir.usage in one transaction, all into partition 0."""
    producer = log.producer(transactional_id="writer")
    producer.init_transactions(timeout_s=1)
    producer.begin()
    for segment in segments:
        key = usage_key(segment.topic_id, segment.partition)
        producer.send_one(TOPIC, 0, key=key, value=encode_segment(segment), timeout_s=1)
    producer.flush(timeout_s=1)
    if outcome == "commit":
        producer.commit(timeout_s=1)
    elif outcome == "abort":
        producer.abort(timeout_s=1)
    producer.close(timeout_s=1)


def write_raw(log: MemoryLog, *, key: bytes | None, value: bytes) -> None:
    """Write bytes that no router would write."""
    producer = log.producer(transactional_id=None)
    producer.send_one(TOPIC, 0, key=key, value=value, timeout_s=1)
    producer.flush(timeout_s=1)


@dataclass
class Ledger:
    """The reader and the sink without an event loop."""

    log: MemoryLog
    database: Engine

    def __post_init__(self) -> None:
        self._start()

    def restart(self) -> None:
        """As after kill -9: nothing in memory is left, and the group notices."""
        if self.reader._consumer is not None:
            self.log.evict(self.reader._consumer)
            self.log.kill(self.reader._consumer)
        self._start()

    def _start(self) -> None:
        sink = Sink(self.database)
        self.reader = UsageReader(self.log, sink, instance="test")
        self.apply = Apply(self.reader, sink, pause=lambda _s: None)

    def run(self) -> None:
        """Poll and apply until nothing comes any more."""
        idle = 0
        for _ in range(1_000):
            batches = self.reader.poll()
            for batch in batches:
                self.apply(batch)
            idle = 0 if batches else idle + 1
            if idle == 3:
                return
        raise AssertionError("the ledger never came to rest")

    def rows(self, table: str) -> list[tuple[object, ...]]:
        """Everything in a table, in one order."""
        with self.database.connect() as connection:
            return sorted(map(tuple, connection.execute(text(f"TABLE {table}"))), key=repr)

    def usage(self) -> dict[str, tuple[int, int]]:
        """Subscription to records and bytes."""
        query = "SELECT subscription, sum(records), sum(billed_bytes) FROM usage GROUP BY 1"
        with self.database.connect() as connection:
            return {s: (int(r), int(b)) for s, r, b in connection.execute(text(query))}

    def everything(self) -> list[object]:
        """The rows of the ledger's tables, positions aside."""
        return [self.rows(table) for table in ("chains", "segments", "usage")]

    def position(self) -> int:
        """Where partition 0 of weir.usage is read on from."""
        return int(str(self.rows("usage_positions")[0][1]))

    def holes(self) -> list[object]:
        """What the chains say they wait for."""
        query = text("SELECT hole FROM chains WHERE hole IS NOT NULL")
        with self.database.connect() as connection:
            return list(connection.execute(query).scalars())


def alarm(kind: str, subject: str) -> float:
    """The alarm's gauge."""
    return metrics.ALARM.labels(kind=kind, subject=subject)._value.get()


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    migrate(database_url)
    made = engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def ledger(database: Engine) -> Ledger:
    log = MemoryLog(now_ms=lambda: 1_000)
    log.create_topic(TOPIC)
    return Ledger(log, database)


CHAIN = f"{TOPIC_ID}/0/live"


def test_committed_segments_become_usage(ledger: Ledger) -> None:
    """Segments of a committed transaction are counted, empty ones move the chain alone."""
    write(ledger.log, chain(4))
    ledger.run()
    assert ledger.usage() == {"sub-1": (30, 3000), "sub-2": (12, 1200)}
    assert len(ledger.rows("segments")) == 4
    assert ledger.position() == 5  # the commit marker included


def test_an_aborted_segment_is_never_billed(ledger: Ledger) -> None:
    """A segment in an aborted transaction is not applied; what commits after it is."""
    segments = chain(2)
    write(ledger.log, segments[:1], outcome="abort")
    ledger.run()
    assert ledger.usage() == {}
    write(ledger.log, segments)
    ledger.run()
    assert ledger.usage() == {"sub-1": (20, 2000), "sub-2": (8, 800)}


def test_a_replay_from_the_beginning_changes_nothing(ledger: Ledger) -> None:
    """All segments read a second time, empty ones included, leave every row as it was."""
    write(ledger.log, chain(7) + chain(3, partition=1) + chain(3, flow="backfill-1"))
    ledger.run()
    before = ledger.everything()
    with ledger.database.begin() as connection:
        connection.execute(text("UPDATE usage_positions SET next_offset = 0"))
    ledger.restart()
    ledger.run()
    assert ledger.everything() == before
    write(ledger.log, chain(7))
    ledger.run()
    assert ledger.everything() == before


def test_a_hole_stops_its_chain_and_heals(ledger: Ledger) -> None:
    """A missing segment stops its chain with an alarm; others go on; its arrival heals all."""
    segments = chain(6)
    write(ledger.log, [segments[0], segments[2], segments[4], *chain(2, partition=1)])
    ledger.run()
    assert len(ledger.rows("segments")) == 1 + 2
    assert "number 2 is missing" in str(ledger.holes())
    assert alarm("coverage-hole", CHAIN) == 1
    assert ledger.position() == 1  # the first segment that could not be applied
    write(ledger.log, [segments[3]])
    ledger.run()
    assert len(ledger.rows("segments")) == 3
    write(ledger.log, [segments[1]])
    ledger.run()
    assert len(ledger.rows("segments")) == 5 + 2
    assert ledger.holes() == []
    assert alarm("coverage-hole", CHAIN) == 0
    write(ledger.log, [segments[5]])
    ledger.run()
    assert len(ledger.rows("segments")) == 6 + 2


def test_a_hole_outlives_the_process(ledger: Ledger) -> None:
    """A ledger killed while a chain is stopped finds the hole again, and heals it."""
    segments = chain(3)
    write(ledger.log, [segments[0], segments[2]])
    ledger.run()
    ledger.restart()
    ledger.run()
    assert len(ledger.holes()) == 1
    write(ledger.log, [segments[1]])
    ledger.restart()
    ledger.run()
    assert ledger.holes() == []
    assert len(ledger.rows("segments")) == 3


def test_a_rewritten_segment_is_an_alarm(ledger: Ledger) -> None:
    """Another segment under an applied number changes no row and raises an alarm."""
    segments = chain(2)
    write(ledger.log, segments)
    ledger.run()
    before = ledger.everything()
    write(ledger.log, [replace(segments[0], source_records=11)])
    ledger.run()
    assert ledger.everything() == before
    assert alarm("segment-differs", CHAIN) == 1


@pytest.mark.parametrize(
    "twist",
    [
        {"deliveries": (first().deliveries[0], first().deliveries[0])},  # one subscription twice
        {"product": "acme/\0"},  # PostgreSQL cannot hold it
        {"number": 0},
        {"first_offset": -1},
    ],
)
def test_contradictory_segments_are_passed_over(ledger: Ledger, twist: dict[str, object]) -> None:
    """A segment that could not be written raises an alarm and holds up nothing behind it."""
    write(ledger.log, [replace(first(1), **twist), *chain(2)])
    ledger.run()
    assert len(ledger.rows("segments")) == 2
    assert alarm("usage-refused", f"{TOPIC}/0") == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"x", b""),
        (usage_key(TOPIC_ID, 0), b"not a segment"),
        (usage_key(TOPIC_ID, 0), encode_segment(first())[:-3]),
        (usage_key(TOPIC_ID, 0), encode_segment(first()) + b"\0"),
        (usage_key(TOPIC_ID, 1), encode_segment(first())),  # another partition's key
        (None, encode_segment(first())),
    ],
)
def test_foreign_bytes_are_passed_over(ledger: Ledger, key: bytes | None, value: bytes) -> None:
    """What is no segment in its place raises an alarm and holds up nothing behind it."""
    metrics.ALARM.labels(kind="usage-refused", subject=f"{TOPIC}/0").set(0)
    write_raw(ledger.log, key=key, value=value)
    write(ledger.log, chain(2))
    ledger.run()
    assert len(ledger.rows("segments")) == 2
    assert alarm("usage-refused", f"{TOPIC}/0") == 1


def test_a_database_that_comes_back_is_waited_for(ledger: Ledger) -> None:
    """While the database refuses, the batch is tried again; then it is applied once."""
    write(ledger.log, chain(3))
    refusals: Iterator[bool] = iter([])

    @event.listens_for(ledger.database, "begin")
    def refuse(connection: object) -> None:
        if next(refusals, False):
            raise OperationalError("BEGIN", {}, ConnectionError("down"))

    batches: list[Batch] = []
    while not batches:
        batches = ledger.reader.poll()
    refusals = iter([True, True, False])
    for batch in batches:
        ledger.apply(batch)
    event.remove(ledger.database, "begin", refuse)
    assert len(ledger.rows("segments")) == 3


def test_a_batch_that_does_not_follow_on_is_read_again(ledger: Ledger) -> None:
    """When Faust dropped a batch, those after it are not applied before it is."""
    ledger.reader.poll()
    write(ledger.log, chain(2))
    assert len(ledger.reader.poll()) == 1  # lost on its way to the agent
    write(ledger.log, chain(4)[2:])
    ledger.run()
    assert len(ledger.rows("segments")) == 4
    assert ledger.holes() == []


def test_deleted_segments_are_an_alarm_and_a_hole(ledger: Ledger) -> None:
    """Where retention was faster than the ledger, the chain stops instead of going on without."""
    segments = chain(4)
    write(ledger.log, segments[:1])
    ledger.run()
    write(ledger.log, segments[1:3])
    write(ledger.log, segments[3:])
    ledger.log.trim(TopicPartition(TOPIC, 0), 4)
    ledger.restart()
    ledger.run()
    assert alarm("usage-expired", f"{TOPIC}/0") == 1
    assert "number 2 is missing" in str(ledger.holes())


def test_an_unreadable_record_is_passed_over(ledger: Ledger) -> None:
    """A record that cannot be decompressed is an alarm and a hole; other chains go on behind it."""
    write(ledger.log, [*chain(2), *chain(3, partition=1)])
    ledger.log.set_readable(TopicPartition(TOPIC, 0), 1, readable=False)
    ledger.run()
    assert alarm("usage-unreadable", f"{TOPIC}/0") == 1
    assert len(ledger.rows("segments")) == 1 + 3
    write(ledger.log, chain(3))  # repeats what was lost, and goes on
    ledger.run()
    assert len(ledger.rows("segments")) == 3 + 3
    assert ledger.holes() == []


def test_a_position_beyond_the_end_stops_with_an_alarm(ledger: Ledger) -> None:
    """Another log under the name of weir.usage is not read on from the old place, silently."""
    write(ledger.log, chain(5))
    ledger.run()
    ledger.log.recreate_topic(TOPIC)
    write(ledger.log, chain(2, partition=1))
    ledger.restart()
    ledger.run()
    assert alarm("usage-beyond-end", f"{TOPIC}/0") == 1
    assert len(ledger.rows("segments")) == 5


def test_ten_thousand_segments_are_replayed_in_seconds(ledger: Ledger) -> None:
    """A replay of 10,000 segments costs few statements: at most ten a batch of 500."""
    write(ledger.log, chain(10_000))
    began_s = time.monotonic()
    ledger.run()
    print(f"10,000 segments applied in {time.monotonic() - began_s:.1f} s")
    statements = []

    @event.listens_for(ledger.database, "before_cursor_execute")
    def note(*arguments: object) -> None:
        statements.append(arguments[2])

    with ledger.database.begin() as connection:
        connection.execute(text("UPDATE usage_positions SET next_offset = 0"))
    ledger.restart()
    began_s = time.monotonic()
    ledger.run()
    print(f"10,000 segments replayed in {time.monotonic() - began_s:.1f} s")
    assert len(statements) < 10 * 10_000 / 500
    assert ledger.usage()["sub-1"] == (66_670, 6_667_000)


def test_the_app_applies_until_it_is_stopped(ledger: Ledger) -> None:
    """The Faust app reads from the log into the database and stops when told."""

    async def scenario() -> None:
        app, source = ledger_app(ledger.log, ledger.database, instance="app")
        stop = asyncio.Event()
        running = asyncio.create_task(serve(app, [source], stop, stop_timeout_s=10))
        write(ledger.log, chain(5))
        for _ in range(200):
            if len(ledger.rows("segments")) == 5 or running.done():
                break
            await asyncio.sleep(0.05)
        assert source.not_ready() is None
        stop.set()
        await running

    asyncio.run(scenario())
    assert ledger.usage()["sub-1"] == (40, 4000)


def test_the_app_ends_when_the_database_stays_away(ledger: Ledger) -> None:
    """A database that never answers ends the process with a named error, not with lost segments."""
    write(ledger.log, chain(3))

    async def scenario() -> None:
        app, source = ledger_app(ledger.log, ledger.database, instance="app", backoff_s=0.01)
        await serve(app, [source], asyncio.Event(), stop_timeout_s=10)

    @event.listens_for(ledger.database, "begin")
    def refuse(connection: object) -> None:
        raise OperationalError("BEGIN", {}, ConnectionError("down"))

    try:
        with pytest.raises(UnavailableError, match=r"weir\.usage cannot be read"):
            asyncio.run(asyncio.wait_for(scenario(), 120))
    finally:
        event.remove(ledger.database, "begin", refuse)
    assert ledger.rows("segments") == []
