"""Rules that keep it exact, each by itself; the orderings that need them are `tests/sim`'s."""

from dataclasses import replace
from typing import Any

import pytest

from broker.alarms import Alarm
from broker.domain.events import PartitionsRaised
from broker.domain.names import USAGE_TOPIC
from broker.errors import FencedError, LogTimeoutError, PoisonedBatchError, WeirError
from broker.flow import ROUTER_GROUP
from broker.log.memory_producer import MemoryProducer
from broker.log.memory_reader import MemoryReader
from broker.log.memory_topics import PartitionLog
from broker.log.ports import EMPTY, Fetched, TopicPartition
from tests.sim.world import PRODUCT, QUARANTINE, TOPIC
from tests.unit.flow.one_lane import FIRST, OneLane, stands


def test_offsets_go_with_the_metadata_of_the_poll(
    one: OneLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very object that was taken then, never one taken afresh."""
    sent: list[Any] = []
    real = MemoryProducer.send_offsets

    def send_offsets(self: MemoryProducer, offsets: Any, group: Any, *, timeout_s: float) -> None:
        sent.append(group)
        real(self, offsets, group, timeout_s=timeout_s)

    monkeypatch.setattr(MemoryProducer, "send_offsets", send_offsets)
    one.send()
    batches = one.lane.poll()
    assert batches is not None
    routed = one.lane.route(batches, one.lane.enforce(batches))
    one.lane.commit(batches, one.lane.meter(batches, routed))
    assert [group is batches.group for group in sent] == [True]


@pytest.mark.parametrize("error", [FencedError("fenced"), LogTimeoutError("no answer")])
def test_unknown_outcome_costs_the_clients(one: OneLane, error: WeirError) -> None:
    """Only new clients and the checkpoint can tell what became of the transaction."""
    old = one.lane._clients
    one.send()
    assert one.lane.poll() is not None
    one.fail(error)
    assert one.lane._clients is not old
    one.turn()
    assert one.delivered() == 2


def test_batch_that_does_not_follow_on_is_refused(one: OneLane) -> None:
    """An event that was lost on the way between two steps leaves no hole in the account."""
    one.send()
    batches = one.lane.poll()
    assert batches is not None
    routed = one.lane.route(batches, one.lane.enforce(batches))
    chains = one.lane._opened().partitions.chains
    chains[FIRST] = replace(chains[FIRST], next_offset=0)
    with pytest.raises(PoisonedBatchError, match="does not follow on"):
        one.lane.meter(batches, routed)


def test_recreated_topic_is_noticed_at_assignment(one: OneLane) -> None:
    """A new owner does not take the old topic's checkpoint for the new one's."""
    one.world.log.recreate_topic(TOPIC)
    one.world.reconnect()
    one.send(0)
    one.send(1)
    one.lane.rebuild()
    one.lane.poll()
    assert stands(Alarm.TOPIC_RECREATED)
    assert one.lane._opened().partitions.routable() == []


def test_checkpoint_whose_segment_is_deleted_goes_on(one: OneLane) -> None:
    """The exchange was down for longer than `weir.usage` is kept: its chains go on as they ended.

    The checkpoint was committed with the segment; the ledger compares the digests.
    """
    before = dict(one.lane.owned)
    for chain in before.values():
        assert chain.place is not None
        usage = TopicPartition(USAGE_TOPIC, chain.place.partition)
        one.world.log.trim(usage, chain.place.offset + 1)
    one.lane.rebuild()
    one.send(0)
    one.send(1)
    one.turn()
    assert not stands(Alarm.CHECKPOINT_BROKEN)
    assert (one.delivered(0), one.delivered(1)) == (2, 2)
    assert {tp: chain.number for tp, chain in one.lane.owned.items()} == {
        tp: chain.number + 1 for tp, chain in before.items()
    }


def test_checkpoint_beyond_the_end_of_usage_is_broken(one: OneLane) -> None:
    """A `weir.usage` that has lost its end, or another one, stops the partitions."""
    for number in range(2):
        one.world.log._broker.partition(TopicPartition(USAGE_TOPIC, number)).entries.clear()
    one.lane.rebuild()
    one.send()
    one.turn()
    assert stands(Alarm.CHECKPOINT_BROKEN)
    assert one.delivered() == 1


def test_checkpoint_that_cannot_be_read_in_time_is_asked_for_again(
    one: OneLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer says nothing of the segment: no alarm, and the next attempt goes on with it."""
    real, silent = MemoryReader.read, [True]

    def read(self: MemoryReader, place: TopicPartition, first: int, **bounds: Any) -> Fetched:
        if place.topic == USAGE_TOPIC and silent:
            silent.clear()
            return Fetched(place, EMPTY, first)
        return real(self, place, first, **bounds)

    monkeypatch.setattr(MemoryReader, "read", read)
    one.lane.rebuild()
    one.send()
    one.turn()
    assert not silent
    assert not stands(Alarm.CHECKPOINT_BROKEN)
    assert one.delivered() == 2


@pytest.mark.parametrize("put", ["an old segment", "no segment"])
def test_lost_offsets_and_what_an_admin_put_into_usage(one: OneLane, put: str) -> None:
    """The chain's highest number is its end, wherever an old one was restored; no segment is none.

    What a chain is believed to end at is where delivery goes on.
    """
    first = one.lane.owned[FIRST].place
    assert first is not None
    one.send()
    one.turn()
    usage = TopicPartition(USAGE_TOPIC, first.partition)
    old = one.world.log.entries(USAGE_TOPIC)[first.partition][first.offset]
    value = old.value if put == "an old segment" else b"x"
    one.world._producer.send_one(*usage, key=old.key, value=value or b"", timeout_s=1)
    one.world.log.forget_offsets(ROUTER_GROUP)
    one.lane.rebuild()
    one.send()
    one.turn()
    assert (one.delivered(), one.lane.owned[FIRST].number) == (3, 3)


def test_partition_that_the_product_does_not_have_waits_alone(one: OneLane) -> None:
    """Added by hand: delivery topics lack it, and no subscription is held back for that."""
    _add_partition(one, TOPIC)
    one.turn()
    one.send(2)
    one.send(0)
    one.turn()
    assert stands(Alarm.KAFKA_DRIFT)
    assert not stands(Alarm.UNDELIVERABLE)
    assert (one.delivered(0), TopicPartition(TOPIC, 2) in one.lane.owned) == (2, False)


def test_partition_that_the_product_has_at_last_is_read_on(one: OneLane) -> None:
    """By the same clients, from its beginning."""
    clients = one.lane._clients
    for topic in (TOPIC, QUARANTINE, *one.world.model.delivery_topics.values()):
        _add_partition(one, topic)
    one.send(2)
    one.turn()
    assert (one.delivered(2), stands(Alarm.KAFKA_DRIFT)) == (0, True)
    one.world._publish(PartitionsRaised(PRODUCT, 3))
    one.turn()
    assert (one.delivered(2), stands(Alarm.KAFKA_DRIFT)) == (1, False)
    assert one.lane._clients is clients


def _add_partition(one: OneLane, topic: str) -> None:
    """As an admin does, without asking the exchange."""
    broker = one.world.log._broker
    broker.topics[topic].partitions.append(PartitionLog())
    broker.rebalance()


def test_recreated_topic_is_noticed_without_a_record(one: OneLane) -> None:
    """The watch compares ids also where nothing arrives."""
    one.world.log.recreate_topic(TOPIC)
    one.lane.observe()
    assert stands(Alarm.TOPIC_RECREATED)
    assert one.lane._opened().partitions.routable() == []
