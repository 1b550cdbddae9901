"""Topics that change under the running router."""

from typing import Any

import pytest

from broker import metrics
from broker.log.memory_reader import MemoryReader
from broker.log.ports import EMPTY, Fetched, TopicPartition
from tests.sim.checks import committed, segments
from tests.sim.world import PARTITIONS, TOPIC, World


def _steps(world: World, count: int) -> None:
    for _ in range(count):
        world.workers[0].step()
        world.clock.ms += 50


def _alarms(kind: str) -> set[str]:
    return {
        sample.labels["subject"]
        for metric in metrics.ALARM.collect()
        for sample in metric.samples
        if sample.labels["kind"] == kind and sample.value
    }


def test_recreated_topic_stops_the_product() -> None:
    """A source topic recreated between two polls: nothing of the new one is delivered."""
    world = World(1, workers=1)
    world.produce()
    _steps(world, 40)
    before = {
        topic: [len(committed(world.log, topic, p)) for p in range(PARTITIONS)]
        for topic in world.model.delivery_topics.values()
    }
    world.log.recreate_topic(TOPIC)
    world.reconnect()
    for _ in range(30):
        world.produce()
    _steps(world, 80)
    for topic, counts in before.items():
        assert [len(committed(world.log, topic, p)) for p in range(PARTITIONS)] == counts
    assert _alarms("topic-recreated")


def test_expired_records_become_a_gap() -> None:
    """Records that retention took before they were routed are named by a gap segment."""
    world = World(2, workers=1)
    while len(world.log.entries(TOPIC)[0]) < 6:
        world.produce()
    world.log.trim(TopicPartition(TOPIC, 0), 4)
    _steps(world, 60)
    first = segments(world.log)[TOPIC, 0][0]
    assert (first["kind"], first["first_offset"], first["next_offset"]) == ("gap", 0, 4)
    assert first["gap_reason"] == "expired"


def test_unreadable_record_becomes_a_gap() -> None:
    """A record that cannot be decompressed is named, and what follows is delivered."""
    world = World(3, workers=1)
    while len(world.log.entries(TOPIC)[0]) < 6:
        world.produce()
    world.log.set_readable(TopicPartition(TOPIC, 0), 2, readable=False)
    _steps(world, 80)
    chain = segments(world.log)[TOPIC, 0]
    gaps = [s for s in chain if s["kind"] == "gap"]
    assert [(s["first_offset"], s["next_offset"], s["gap_reason"]) for s in gaps] == [
        (2, 3, "unreadable")
    ]
    assert chain[-1]["next_offset"] >= len(world.log.entries(TOPIC)[0]) - 1


def test_lost_checkpoints_are_found_in_the_segments() -> None:
    """Expired group offsets: the last committed segment is the checkpoint, nothing is repeated."""
    world = World(4, workers=1)
    for _ in range(10):
        world.produce()
    _steps(world, 60)
    world.log.forget_offsets("weir-router")
    world.workers[0].lane.rebuild()
    for _ in range(20):  # a checkpoint is written anew with the next segment, of each partition
        world.produce()
    world.settle()
    world.check()


@pytest.mark.parametrize("meanwhile", ["open", "silent"])
def test_lost_checkpoints_are_found_to_the_last_segment(
    meanwhile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind another's open transaction, and after a read without an answer.

    A chain taken for shorter than it is would be delivered a second time from there on.
    """
    world = World(4, workers=1)
    world.produce()
    _steps(world, 60)
    if meanwhile == "open":
        other = world.log.producer(transactional_id="another lane")
        other.init_transactions(timeout_s=1)
        other.begin()
        for number in range(2):
            other.send_one("weir.usage", number, key=None, value=b"x", timeout_s=1)
    for _ in range(10):
        world.produce()
    _steps(world, 60)
    if meanwhile == "silent":
        _silent_once(monkeypatch)
    world.log.forget_offsets("weir-router")
    world.workers[0].lane.rebuild()
    for _ in range(20):
        world.produce()
    _steps(world, 60)
    world.settle()
    world.check()


def _silent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first read of `weir.usage` brings nothing in time."""
    real, silent = MemoryReader.read, [True]

    def read(self: MemoryReader, place: TopicPartition, first: int, **bounds: Any) -> Fetched:
        if place.topic == "weir.usage" and silent:
            silent.clear()
            return Fetched(place, EMPTY, first)
        return real(self, place, first, **bounds)

    monkeypatch.setattr(MemoryReader, "read", read)


def test_unwritable_delivery_holds_back_that_subscription_alone() -> None:
    """One topic that cannot be written is named undeliverable; the other subscription goes on."""
    world = World(5, workers=1)
    world.log.set_writable("delivery.trial.all", writable=False)
    for _ in range(10):
        world.produce()
    _steps(world, 100)
    world.check()
    chain = [s for chain in segments(world.log).values() for s in chain]
    undeliverable = {row["subscription"] for s in chain for row in s["undeliverable"]}
    assert undeliverable == {"trial/all"}
    assert sum(len(committed(world.log, "delivery.grid.all", p)) for p in range(PARTITIONS)) > 0
