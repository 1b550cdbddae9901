"""One rule of the router each, which must be noticed when it is broken."""

from dataclasses import replace

from broker import metrics
from broker.alarms import Alarm
from broker.avro.codec import decode_segment, encode_segment
from broker.log.memory import Outcome
from broker.log.ports import Records, TopicPartition
from tests.sim.checks import GROUP, committed, segments
from tests.sim.world import PARTITIONS, PRODUCT, TOPIC, World

FIRST = TopicPartition(TOPIC, 0)
GOOD = b"\0\0\0\0\x01body"


def _world() -> World:
    """One worker that has routed what there was."""
    world = World(1, workers=1)
    for partition in range(PARTITIONS):
        _send(world, partition)
    _steps(world)
    assert [_delivered(world, p) for p in range(PARTITIONS)] == [1, 1]
    return world


def _send(world: World, partition: int = 0) -> None:
    records = Records([0], [0], [None], [GOOD], [None])
    world._producer.send(TOPIC, partition, records, timeout_s=1)


def _steps(world: World, count: int = 60) -> None:
    for _ in range(count):
        world.workers[0].step()
        world.clock.ms += 50


def _reborn(world: World) -> None:
    world.workers[0].lane.close()
    world.workers[0].born()


def _delivered(world: World, partition: int = 0) -> int:
    return len(committed(world.log, "delivery.grid.all", partition))


def _stands(kind: Alarm) -> bool:
    return any(
        sample.labels["kind"] == kind and sample.value
        for metric in metrics.ALARM.collect()
        for sample in metric.samples
    )


def test_append_time_ahead_waits_for_the_clock() -> None:
    """Its partition waits alone and goes on when the clock has come, by the same clients."""
    world = _world()
    clients = world.workers[0].lane._clients
    world.clock.ms += 600_000
    _send(world, 0)
    world.clock.ms -= 600_000
    _send(world, 1)
    _steps(world)
    assert [_delivered(world, p) for p in range(PARTITIONS)] == [1, 2]
    assert _stands(Alarm.APPEND_TIME_AHEAD)
    world.clock.ms += 310_000
    _steps(world)
    assert [_delivered(world, p) for p in range(PARTITIONS)] == [2, 2]
    assert not _stands(Alarm.APPEND_TIME_AHEAD)
    assert world.workers[0].lane._clients is clients
    world.check()


def test_unconfirmed_policy_stops_routing() -> None:
    """A router that cannot read the control log to its end routes nothing."""
    world = _world()

    def lose_reads(_client: str, verb: str) -> Outcome:
        return Outcome.REQUEST_LOST if verb == "read" else Outcome.DONE

    world.log.interfere(lose_reads)
    world.clock.ms += 6_000
    _send(world)
    _steps(world)
    assert _delivered(world) == 1
    world.log.interfere(None)
    _steps(world)
    assert _delivered(world) == 2


def test_idle_partition_is_kept_alive() -> None:
    """After 12 hours an idle partition writes one empty segment."""
    world = _world()
    before = len(segments(world.log)[TOPIC, 0])
    _steps(world)
    assert len(segments(world.log)[TOPIC, 0]) == before
    world.clock.ms += 12 * 60 * 60 * 1000
    _steps(world)
    fresh = segments(world.log)[TOPIC, 0][before:]
    assert [segment["kind"] for segment in fresh] == ["empty"]


def test_offset_beyond_the_end_is_refused() -> None:
    """A log that has lost records its router had routed stops that partition."""
    world = _world()
    world.log._broker.partition(FIRST).entries.clear()
    _reborn(world)
    _send(world, 1)
    _steps(world)
    assert FIRST in world.workers[0].lane._clients.partitions.stopped
    assert _stands(Alarm.BEYOND_END)
    assert _delivered(world, 1) == 2


def test_checkpoint_is_compared_by_digest() -> None:
    """A segment that says another thing than the one committed stops its partition."""
    world = _world()
    place = world.workers[0].lane.owned[FIRST].place
    log = world.log._broker.partition(TopicPartition("weir.usage", place.partition))
    entry = log.entries[place.offset]
    segment = decode_segment(entry.value)
    other = encode_segment(replace(segment, source_bytes=segment.source_bytes + 1))
    log.entries[place.offset] = replace(entry, value=other)
    _reborn(world)
    _send(world)
    _steps(world)
    assert _delivered(world) == 1
    assert _stands(Alarm.CHECKPOINT_BROKEN)


def test_new_owner_waits_for_the_policy_of_the_checkpoint() -> None:
    """A control log that ends before the last segment's seq lets nothing be routed."""
    world = _world()
    control = world.log._broker.partition(TopicPartition("weir.control", 0))
    missing = control.entries.pop()
    _reborn(world)
    _send(world)
    _steps(world)
    assert _delivered(world) == 1
    control.entries.append(missing)
    _steps(world)
    assert _delivered(world) == 2
    assert world.log.committed_offsets(GROUP)[FIRST].offset == 2


def test_abortable_failure_keeps_the_clients() -> None:
    """An unwritable topic costs an abort, which is flushed first, and no new clients."""
    world = _world()
    clients = world.workers[0].lane._clients
    world.log.set_writable("delivery.trial.all", writable=False)
    _send(world)
    _steps(world, 15)
    assert _stands(Alarm.UNDELIVERABLE)
    assert world.workers[0].lane._clients is clients
    assert _delivered(world) == 2


def test_held_subscription_that_is_revoked_is_forgotten() -> None:
    """Its topic may never be made again: the alarm ends with the right."""
    world = _world()
    world.log.set_writable("delivery.trial.all", writable=False)
    _send(world)
    _steps(world, 15)
    assert _stands(Alarm.UNDELIVERABLE)
    world.log.delete_topic("delivery.trial.all")
    while "trial/all" in world.model.active:
        world.toggle()
    _steps(world)
    assert not _stands(Alarm.UNDELIVERABLE)
    assert not world.workers[0].lane._blame.held


def test_idle_is_who_has_seen_the_end_since_the_event() -> None:
    """No empty segment speaks for a partition with records that were not read yet."""
    world = _world()
    lane = world.workers[0].lane
    _send(world, 0)
    world.close_period()
    policy = lane._advance()
    idle = lane._clients.source.idle(policy, set(), now_ms=world.clock.ms)
    assert [batch.partition.partition for batch in idle] == [1]
    _steps(world)
    assert _delivered(world) == 2
    end_ms = policy.products[PRODUCT].closing_end_ms
    reached = [segments(world.log)[TOPIC, p][-1]["watermark_ms"] for p in range(PARTITIONS)]
    assert min(reached) >= end_ms > 0
    world.check()
