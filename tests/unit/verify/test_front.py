"""Retention has taken the source, and the front of a delivery topic too, within a segment."""

from dataclasses import replace
from typing import Any

import pytest

from broker.log.ports import TopicPartition
from broker.verify.report import Report, SubscriptionCount

from .conftest import QUARANTINE, TOPIC, Exchange, long

BUYER = "grid/forecast"
# Of each segment in the delivery topic: a marker ends the one before.
STARTS = (0, 11, 20, 27, 33)
WHY = "delivery.grid.forecast has lost its beginning to retention"


OTHER = b"\0\0\0\0\1" + long(77)


@pytest.fixture
def trimmed(exchange: Exchange) -> Exchange:
    """Segments of 10, 8, 6 and 5 records; no source, and 3 left of the second segment."""
    for count, first in ((10, 0), (8, 100), (6, 200), (5, 300)):
        exchange.produce(count, first=first)
        exchange.route()
    exchange.log.trim(TopicPartition(TOPIC, 0), 29)
    cut(exchange, STARTS[1] + 5)
    return exchange


def cut(exchange: Exchange, offset: int) -> None:
    """Retention takes what is before `offset` of the buyer's topic."""
    exchange.log.trim(TopicPartition(exchange.delivery(BUYER), 0), offset)


def change(exchange: Exchange, topic: str, offset: int, **fields: Any) -> None:
    """The record at an offset becomes another."""
    entries = exchange.log._broker.topics[topic].partitions[0].entries
    at = next(index for index, entry in enumerate(entries) if entry.offset == offset)
    entries[at] = replace(entries[at], **fields)


def of_buyer(report: Report) -> SubscriptionCount:
    """The buyer's row."""
    return next(row for row in report.subscriptions if row.subscription == BUYER)


def lost(report: Report) -> list[tuple[int, int, int, str]]:
    """Range, lost records and reason of what is chain only in the buyer's topic."""
    return [
        (one.first_offset, one.next_offset, one.records, one.why)
        for one in report.chain_only
        if one.subscription == BUYER
    ]


def named(exchange: Exchange) -> list[str]:
    """What the recount names; there must be something."""
    report = exchange.recount()
    assert not report.agrees
    return [one.what for one in report.differences if one.subscription == BUYER]


def test_part_of_a_segment_is_left(trimmed: Exchange) -> None:
    """What is left of it is chain only, with its count; the segments after it are compared."""
    report = trimmed.recount()
    assert report.differences == ()
    assert report.agrees
    assert lost(report) == [
        (0, 10, 10, WHY),
        (10, 18, 5, f"{WHY}; the 3 records left of 8 have no digest"),
    ]
    row = of_buyer(report)
    assert (row.delivered_records, row.lost_records, row.metered_records) == (14, 15, 29)


def test_part_of_the_last_segment_is_left(trimmed: Exchange) -> None:
    """With no segment after it there is nothing to align to, and still no difference."""
    cut(trimmed, STARTS[3] + 1)
    report = trimmed.recount()
    assert report.differences == ()
    assert lost(report)[-1] == (24, 29, 1, f"{WHY}; the 4 records left of 5 have no digest")
    assert of_buyer(report).delivered_records == 4


def test_source_begins_after_the_part(trimmed: Exchange) -> None:
    """The next segments may be those whose source is still there."""
    trimmed.produce(7, first=400)
    trimmed.route()
    cut(trimmed, STARTS[3] + 1)
    report = trimmed.recount()
    assert report.differences == ()
    assert of_buyer(report).entitled_records == 7
    assert of_buyer(report).delivered_records == 11


def test_whole_segments_are_left(trimmed: Exchange) -> None:
    """Where retention cut between two segments, what is gone is all that is chain only."""
    cut(trimmed, STARTS[2])
    report = trimmed.recount()
    assert report.differences == ()
    assert lost(report) == [(0, 18, 18, WHY)]


def test_record_added_after_the_part(trimmed: Exchange) -> None:
    """A record younger than the segment's billing time cannot be left of it."""
    topic = trimmed.delivery(BUYER)
    change(trimmed, topic, STARTS[2] - 1, marker=False, value=OTHER, timestamp_ms=trimmed.clock.ms)
    assert named(trimmed) == [f"1 records added in {topic}"]
    (one,) = trimmed.recount().differences
    assert (one.partition, one.first_offset, one.next_offset) == (0, STARTS[2] - 1, STARTS[2])


@pytest.mark.parametrize("cut_at", [STARTS[1], STARTS[1] + 1])
def test_more_records_than_the_segment_has(trimmed: Exchange, cut_at: int) -> None:
    """The segment's count bounds what may be left of it, whatever records say of their time."""
    topic = trimmed.delivery(BUYER)
    entries = trimmed.log._broker.topics[topic].partitions[0].entries
    old = next(entry for entry in entries if entry.offset == STARTS[2] - 2)
    for offset in range(cut_at, STARTS[1] + 5):
        entries.insert(offset - cut_at, replace(old, offset=offset, value=OTHER))
    change(trimmed, topic, STARTS[2] - 1, marker=False, value=OTHER, timestamp_ms=old.timestamp_ms)
    trimmed.log._broker.topics[topic].partitions[0].start = cut_at
    records = STARTS[2] - cut_at - 7
    assert named(trimmed) == [f"{records} records added or altered in {topic}"]


def test_record_altered_in_a_whole_segment(trimmed: Exchange) -> None:
    """One altered record after the part is a difference, not more that retention took."""
    topic = trimmed.delivery(BUYER)
    change(trimmed, topic, STARTS[2] + 2, value=OTHER)
    assert named(trimmed) == [f"4 records added or altered in {topic}"]


def test_bytes_bound_the_part(trimmed: Exchange) -> None:
    """What is left of a segment weighs no more than it did whole."""
    topic = trimmed.delivery(BUYER)
    change(trimmed, topic, STARTS[1] + 6, value=bytes(100))
    assert named(trimmed) == [f"1 records added or altered in {topic}"]


@pytest.fixture
def refusing(exchange: Exchange) -> Exchange:
    """Three segments with four refused records each; the source of the first two is gone."""
    for _ in range(3):
        exchange.send(TOPIC, 0, [b"{}", b"", b"{}", b""])
        exchange.route()
    exchange.log.trim(TopicPartition(TOPIC, 0), 8)
    exchange.log.trim(TopicPartition(QUARANTINE, 0), 2)
    return exchange


def test_quarantine_outlives_the_source(refusing: Exchange) -> None:
    """Copies name their source offsets: those left of a segment without source belong to it."""
    report = refusing.recount()
    assert [str(one) for one in report.differences] == []


def test_quarantine_copy_of_another_reason(refusing: Exchange) -> None:
    """Of a part of a segment's copies there is no more of a reason than the segment refused."""
    for at in (2, 3):
        place = f"{TOPIC}/0/{at}".encode()
        headers = (("weir-reason", b"forged"), ("weir-source", place))
        change(refusing, QUARANTINE, at, headers=headers)
    (one,) = refusing.recount().differences
    assert one.store == "quarantine"
    assert "holds {'forged': 2}" in one.what
