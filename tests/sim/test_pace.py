"""How much a lane takes, how long it may take, and what belongs to what it has taken."""

from dataclasses import replace
from typing import Any

import pytest

from broker.domain import events as ev
from broker.errors import LogTimeoutError, PoisonedBatchError
from broker.flow.batch import BatchSet, Metered
from broker.flow.lane import Lane
from broker.log.ports import Records
from tests.sim.checks import committed
from tests.sim.worker import SETTINGS, Inline
from tests.sim.world import PARTITIONS, PRODUCT, TOPIC, World

GOOD = b"\0\0\0\0\x01" + bytes(60)
COUNT = 30
SOON = 200  # turns


def _world(count: int = COUNT) -> tuple[World, Lane]:
    """A lane over so many records, of which few fit into a set."""
    world = World(1, workers=0)
    for index in range(count):
        records = Records([0], [0], [str(index).encode()], [GOOD], [None])
        world._producer.send(TOPIC, 0, records, timeout_s=1)
    for name in world.model.delivery_topics:
        world.activate(name)
    lane = Lane(world.log, instance="0", settings=SETTINGS, clock=world.clock, executor=Inline())
    lane.open()
    return world, lane


def _polled(lane: Lane) -> BatchSet:
    """The next set with records in it; empty ones are committed."""
    for _ in range(SOON):
        batches = lane.poll()
        if batches is None:
            continue
        if any(len(batch.records) for batch in batches.batches):
            return batches
        lane.commit(batches, _metered(lane, batches))
    raise AssertionError("nothing came")


def _metered(lane: Lane, batches: BatchSet) -> tuple[Metered, ...]:
    return lane.meter(batches, lane.route(batches, lane.enforce(batches)))


def _records(batches: BatchSet) -> int:
    return sum(len(batch.records) for batch in batches.batches)


def test_what_waits_keeps_the_group_metadata_of_its_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several sets of one poll carry what the group was then, and each poll is asked about once."""
    _, lane = _world()
    consumer: Any = lane._opened().consumer
    polls, asked = [0], [0]
    poll, metadata = consumer.poll, consumer.group_metadata

    def counted_poll(**bounds: Any) -> Any:
        polls[0] += 1
        return poll(**bounds)

    def counted_metadata() -> Any:
        asked[0] += 1
        return metadata()

    monkeypatch.setattr(consumer, "poll", counted_poll)
    monkeypatch.setattr(consumer, "group_metadata", counted_metadata)
    sets_of_a_poll = 0
    first = _polled(lane)
    at = polls[0]
    while polls[0] == at:
        sets_of_a_poll += 1
        lane.commit(first, _metered(lane, first))
        group, first = first.group, _polled(lane)
        assert (first.group is group) == (polls[0] == at)
    assert sets_of_a_poll > 1
    assert asked == polls


def test_a_slow_set_is_not_committed_under_a_policy_that_has_changed() -> None:
    """What took longer than a policy may be old is made again; where nothing changed it stands."""
    world, lane = _world()
    batches = _polled(lane)
    metered = _metered(lane, batches)
    world.clock.ms += 6_000
    lane.commit(batches, metered)
    done = len(committed(world.log, "delivery.grid.all", 0))
    assert done

    batches = _polled(lane)
    metered = _metered(lane, batches)
    world.clock.ms += 6_000
    world.toggle()
    with pytest.raises(PoisonedBatchError, match="policy"):
        lane.commit(batches, metered)
    lane.fail(PoisonedBatchError("as above"))
    assert len(committed(world.log, "delivery.grid.all", 0)) == done


def test_a_set_that_timed_out_is_halved_and_grows_again() -> None:
    """Less is taken after a time-out and after a slow commit; quick ones bring the whole back."""
    world, lane = _world()
    batches = _polled(lane)
    assert lane._pace.share == 1.0
    enforced = lane.enforce(batches)
    clients = lane._opened()
    producer = clients.producer
    given: list[float] = []

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(producer, name)

        def send(self, *arguments: Any, timeout_s: float) -> None:
            given.append(timeout_s)
            producer.send(*arguments, timeout_s=timeout_s)
            world.clock.ms += 3_100

    object.__setattr__(clients, "producer", Slow())
    with pytest.raises(LogTimeoutError, match="in time") as raised:
        lane.route(batches, enforced)
    assert given == pytest.approx([3.0])
    lane.fail(raised.value)
    assert lane._pace.share == 0.5

    batches = _polled(lane)
    metered = _metered(lane, batches)
    world.clock.ms += 4_000
    lane.commit(batches, metered)
    assert lane._pace.share == 0.25
    for _ in range(8):
        batches = _polled(lane)
        lane.commit(batches, _metered(lane, batches))
    assert lane._pace.share == 1.0


def test_a_lane_without_products_gives_its_partitions_back() -> None:
    """After the last product has ended it holds none, so that it may rest."""
    world, lane = _world()
    while lane._opened().partitions.chains.keys() != {(TOPIC, p) for p in range(PARTITIONS)}:
        batches = lane.poll()
        if batches is not None:
            lane.commit(batches, _metered(lane, batches))
    topic_id = lane.policy.products[PRODUCT].topic_id
    world._publish(ev.TopicEnded(PRODUCT, topic_id))
    for _ in range(SOON):
        world.clock.ms += 200
        assert lane.poll() is None
    assert lane.owned == {}


def test_what_waits_is_dropped_with_an_abort() -> None:
    """After it the lane goes on at the chain's end, not behind what it has given up."""
    _, lane = _world()
    first = _polled(lane)
    assert lane._opened().source._waiting
    lane.fail(PoisonedBatchError("somebody says so"))
    second = _polled(lane)
    begun = {batch.partition: batch.first_offset for batch in first.batches}
    assert {batch.partition: batch.first_offset for batch in second.batches} == begun


def test_a_fetch_that_is_missing_is_noticed() -> None:
    """Records that begin behind the chain's end, with none before them, are not routed."""
    _, lane = _world()
    batches = _polled(lane)
    lane.commit(batches, _metered(lane, batches))
    waiting = lane._opened().source._waiting
    left = waiting[0].records
    waiting[0] = replace(waiting[0], records=left.slice(1, len(left)), position=left.offsets[1])
    with pytest.raises(PoisonedBatchError, match="follows on"):
        lane.poll()
