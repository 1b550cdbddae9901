"""A delivery or quarantine topic was removed by hand and made again."""

import pytest
from sqlalchemy import insert, text

from broker.log.ports import TopicPartition
from broker.store.control import OutletTopicRow
from broker.verify.report import Report

from .conftest import QUARANTINE, TOPIC, Exchange

BUYER = "grid/forecast"
DELIVERY = "delivery.grid.forecast"
HOUR_MS = 60 * 60 * 1000


def remove(exchange: Exchange, topic: str, *, acknowledged: bool = True) -> str:
    """It is gone and made again; that is kept, and acknowledged. Gives the id of the lost one."""
    lost_id = exchange.log._broker.topics[topic].topic_id
    exchange.log.delete_topic(topic)
    exchange.log.create_topic(topic, exchange.partitions)
    note(exchange, topic, lost_id, acknowledged=acknowledged)
    return lost_id


def note(exchange: Exchange, topic: str, topic_id: str, *, acknowledged: bool = True) -> None:
    """A row of a topic that was seen to be gone, now."""
    now = exchange.clock.now()
    row = {
        "topic": topic,
        "topic_id": topic_id,
        "seen_at": now,
        "lost_at": now,
        "acknowledged_at": now if acknowledged else None,
        "acknowledged_by": "op" if acknowledged else None,
    }
    with exchange.database.begin() as connection:
        # Unique only where nothing is lost; SQLite leaves that condition out.
        connection.execute(text("DROP INDEX IF EXISTS ix_outlet_topics_there"))
        connection.execute(insert(OutletTopicRow), [row])


@pytest.fixture
def delivered(exchange: Exchange) -> Exchange:
    """Two segments in the delivery topic."""
    for first in (0, 100):
        exchange.produce(10, first=first)
        exchange.route()
    return exchange


def deliver(exchange: Exchange) -> None:
    """An hour later: a segment that the router may not deliver yet, and two more."""
    exchange.clock.ms += HOUR_MS
    for first in (200, 300, 400):
        exchange.produce(5, first=first)
        exchange.route()


def lost(report: Report) -> list[tuple[str | None, int, int, int, str]]:
    """What is chain only."""
    return [
        (one.subscription, one.first_offset, one.next_offset, one.records, one.why)
        for one in report.chain_only
    ]


def removed_why(exchange: Exchange, kind: str = "delivery") -> str:
    """What is said of a removal now."""
    at = exchange.clock.now().isoformat(timespec="seconds")
    return f"{kind} topic removed at {at}, acknowledged"


@pytest.mark.parametrize("source_gone", [False, True])
def test_acknowledged(delivered: Exchange, source_gone: bool) -> None:  # noqa: FBT001  a case
    """What was delivered before is chain only, and why; what came later is compared."""
    remove(delivered, DELIVERY)
    why = removed_why(delivered)
    deliver(delivered)
    if source_gone:
        delivered.log.trim(TopicPartition(TOPIC, 0), 35)
    report = delivered.recount()
    assert [str(one) for one in report.differences] == []
    assert report.agrees
    assert (BUYER, 0, 20, 20, why) in lost(report)
    row = next(row for row in report.subscriptions if row.subscription == BUYER)
    assert (row.delivered_records, row.lost_records, row.billed_records) == (10, 20, 30)


def test_nothing_delivered_since(delivered: Exchange) -> None:
    """The topic made anew may be empty."""
    remove(delivered, DELIVERY)
    report = delivered.recount()
    assert report.differences == ()
    assert lost(report) == [(BUYER, 0, 20, 20, removed_why(delivered))]


@pytest.mark.parametrize("source_gone", [False, True])
def test_not_acknowledged(delivered: Exchange, source_gone: bool) -> None:  # noqa: FBT001  a case
    """Until an operator knows of it, it is a difference."""
    remove(delivered, DELIVERY, acknowledged=False)
    deliver(delivered)
    if source_gone:
        delivered.log.trim(TopicPartition(TOPIC, 0), 35)
    report = delivered.recount()
    assert not report.agrees
    assert {one.subscription for one in report.differences} == {BUYER}


def test_missing_after_the_removal(delivered: Exchange) -> None:
    """What was delivered after it is not explained by it."""
    lost_id = delivered.log._broker.topics[DELIVERY].topic_id
    note(delivered, DELIVERY, lost_id)
    deliver(delivered)
    delivered.log.delete_topic(DELIVERY)
    delivered.log.create_topic(DELIVERY, delivered.partitions)
    named = delivered.recount().differences
    assert {one.what for one in named} == {f"5 records missing in {DELIVERY}"}
    assert [(one.first_offset, one.next_offset) for one in named] == [(20, 25), (25, 30), (30, 35)]


def test_removed_twice(delivered: Exchange) -> None:
    """An acknowledged removal explains nothing that a later one took."""
    remove(delivered, DELIVERY)
    deliver(delivered)
    remove(delivered, DELIVERY, acknowledged=False)
    report = delivered.recount()
    assert lost(report)[0][:4] == (BUYER, 0, 20, 20)
    assert {(one.first_offset, one.next_offset) for one in report.differences} == {
        (25, 30),
        (30, 35),
    }


def test_row_without_a_removal(delivered: Exchange) -> None:
    """A row that calls the topic lost which is there explains nothing that it lacks."""
    partition = delivered.log._broker.topics[DELIVERY].partitions[0]
    partition.entries = []
    note(delivered, DELIVERY, delivered.log._broker.topics[DELIVERY].topic_id)
    assert not delivered.recount().agrees


def test_record_put_into_the_new_topic(delivered: Exchange) -> None:
    """Records put back by hand are not those that were delivered: nobody accounts for them."""
    remove(delivered, DELIVERY)
    delivered.send(DELIVERY, 0, [b"\0\0\0\0\1\1"])
    deliver(delivered)
    assert [one.what for one in delivered.recount().differences] == [
        f"1 records added in {DELIVERY}"
    ]


@pytest.mark.parametrize("source_gone", [False, True])
def test_quarantine(exchange: Exchange, source_gone: bool) -> None:  # noqa: FBT001  a case
    """The refused records of before are chain only; those of later are compared."""
    exchange.send(TOPIC, 0, [b"{}", b""])
    exchange.route()
    remove(exchange, QUARANTINE)
    why = removed_why(exchange, "quarantine")
    exchange.clock.ms += HOUR_MS
    exchange.send(TOPIC, 0, [b"{}", b""])
    exchange.route()
    if source_gone:
        exchange.log.trim(TopicPartition(TOPIC, 0), 4)
    report = exchange.recount()
    assert [str(one) for one in report.differences] == []
    assert ((None, 0, 2, 2, why) in lost(report)) is not source_gone
