"""A delivery or quarantine topic is tampered with: subscription, partition, offsets are named."""

from dataclasses import replace

import pytest

from broker.log.memory_topics import PartitionLog
from broker.log.ports import TopicPartition

from .conftest import QUARANTINE, TOPIC, Exchange
from .tampering import BUYER, GOOD, differences


def test_delivered_record_added(routed: Exchange) -> None:
    """A record that an admin wrote into a delivery topic."""
    topic = routed.delivery(BUYER)
    end = routed.log.reader(committed=True).offsets(TopicPartition(topic, 0), timeout_s=1)
    routed.send(topic, 0, [GOOD])
    (one,) = differences(routed)
    assert (one.store, one.subscription, one.partition) == ("delivery", BUYER, 0)
    assert (one.topic, one.first_offset) == (topic, end.last_stable)
    assert one.what == f"1 records in {topic} that no segment accounts for"


def test_delivered_record_added_in_the_middle(exchange: Exchange) -> None:
    """An added record among others is named alone, and those after it are found again."""
    exchange.produce(5)
    exchange.route()
    topic = exchange.delivery(BUYER)
    exchange.send(topic, 0, [GOOD])
    exchange.produce(5, first=50)
    exchange.route()
    (one,) = differences(exchange)
    assert one.what == f"1 records added in {topic}"
    assert (one.subscription, one.partition, one.next_offset) == (BUYER, 0, one.first_offset + 1)
    rows = {row.subscription: row.delivered_records for row in exchange.recount().subscriptions}
    assert rows[BUYER] == 11


def test_quarantine_record_added(routed: Exchange) -> None:
    """A record that somebody wrote into quarantine."""
    routed.send(QUARANTINE, 1, [GOOD])
    (one,) = differences(routed)
    assert (one.store, one.partition) == ("quarantine", 1)


def test_records_swapped(routed: Exchange) -> None:
    """Delivered records in another order are named by the offsets where they stand."""
    topic = routed.delivery(BUYER)
    entries = routed.log._broker.topics[topic].partitions[0].entries
    entries[2], entries[3] = (
        replace(entries[3], offset=entries[2].offset),
        replace(entries[2], offset=entries[3].offset),
    )
    named = differences(routed)
    assert {(one.store, one.subscription, one.partition) for one in named} == {
        ("delivery", BUYER, 0)
    }


def test_record_altered(routed: Exchange) -> None:
    """One delivered record with another value is named alone."""
    topic = routed.delivery(BUYER)
    entries = routed.log._broker.topics[topic].partitions[0].entries
    entries[4] = replace(entries[4], value=GOOD + b"?")
    (one,) = differences(routed)
    assert one.what == f"1 records altered in {topic}"
    assert (one.first_offset, one.next_offset) == (4, 5)


def test_records_missing(routed: Exchange) -> None:
    """Records that were never delivered are named by their source offsets."""
    topic = routed.delivery(BUYER)
    entries = routed.log._broker.topics[topic].partitions[0].entries
    for offset in (4, 5):
        entries[offset] = replace(entries[offset], marker=True)
    (one,) = differences(routed)
    assert one.what == f"2 records missing in {topic}"
    assert (one.topic, one.first_offset, one.next_offset) == (None, 4, 6)


def test_records_missing_where_the_source_is_gone(routed: Exchange) -> None:
    """Without a source, what a segment metered and no topic holds is named by its range."""
    routed.log.trim(TopicPartition(TOPIC, 1), 3)
    topic = routed.delivery(BUYER)
    entries = routed.log._broker.topics[topic].partitions[1].entries
    for offset, entry in enumerate(entries):
        entries[offset] = replace(entry, marker=True)
    (one,) = differences(routed)
    assert one.what == f"3 records missing in {topic}"
    assert (one.subscription, one.partition, one.first_offset, one.next_offset) == (BUYER, 1, 0, 3)


def test_delivery_topic_of_an_active_subscription_deleted(routed: Exchange) -> None:
    """A delivery topic that is gone although its subscription is active."""
    routed.log.delete_topic(routed.delivery(BUYER))
    named = differences(routed)
    assert {(one.store, one.subscription) for one in named} == {("delivery", BUYER)}
    assert "does not exist although it is active" in named[0].what


def test_delivery_topic_emptied_and_filled_anew(routed: Exchange) -> None:
    """Records put back after a deletion are not those that were delivered."""
    topic = routed.delivery(BUYER)
    at = TopicPartition(topic, 0)
    end = routed.log.reader(committed=True).offsets(at, timeout_s=1).last_stable
    routed.log.trim(at, end)
    routed.send(topic, 0, [GOOD])
    (one,) = differences(routed)
    assert (one.subscription, one.first_offset) == (BUYER, end)
    lost = [lost for lost in routed.recount().chain_only if lost.subscription == BUYER]
    assert sum(one.records for one in lost) == 18


@pytest.mark.parametrize(
    ("topic", "store", "subscription"),
    [
        ("delivery.grid.forecast", "delivery", BUYER),
        (QUARANTINE, "quarantine", None),
        (TOPIC, "source", None),
    ],
)
def test_records_in_a_partition_too_many(
    routed: Exchange, topic: str, store: str, subscription: str | None
) -> None:
    """A partition that somebody added is named as soon as something stands in it."""
    routed.log._broker.topics[topic].partitions.append(PartitionLog())
    assert routed.recount().agrees
    routed.send(topic, 2, [GOOD, GOOD])
    (one,) = differences(routed)
    assert (one.store, one.subscription, one.partition) == (store, subscription, 2)
    assert (one.topic, one.first_offset, one.next_offset) == (topic, 0, 2)
