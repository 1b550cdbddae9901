"""weir.usage is tampered with: segments are replayed, invented, lost, or no segments."""

from dataclasses import replace
from typing import Literal

import pytest

from broker.domain import events as ev
from broker.domain.segment import usage_key
from broker.log.ports import Committed, TopicPartition

from .conftest import PRODUCT, TOPIC, Exchange
from .tampering import BUYER, append, differences, first_segment, last_segment


def test_segment_replayed_under_another_number(routed: Exchange) -> None:
    """The account of a range again, as if it were the next, well chained."""
    place, last, digest = last_segment(routed)
    _, again = first_segment(routed)
    forged = replace(
        again,
        number=last.number + 1,
        previous_digest=digest,
        seq=last.seq,
        watermark_ms=last.watermark_ms,
    )
    append(routed, place, forged)
    named = differences(routed)
    assert named[0].store == "chain"
    assert (named[0].partition, named[0].first_offset) == (0, again.first_offset)
    assert "a replay" in named[0].what


def test_segment_replayed_as_it_was(routed: Exchange) -> None:
    """A segment that stands in weir.usage a second time."""
    place, again = first_segment(routed)
    append(routed, place, again)
    (one,) = differences(routed)
    assert one.what == f"segment {again.number} stands here again, the same content"


def test_segment_of_another_account(routed: Exchange) -> None:
    """A second segment under a number that there is already, with another content."""
    place, again = first_segment(routed)
    append(routed, place, replace(again, source_records=1))
    (one,) = differences(routed)
    assert one.what == f"segment {again.number} stands here again, another content"


def test_segment_invented(routed: Exchange) -> None:
    """A well chained account of records that there are not."""
    place, last, digest = last_segment(routed)
    _, again = first_segment(routed)
    forged = replace(
        again,
        number=last.number + 1,
        first_offset=last.next_offset,
        next_offset=last.next_offset + 11,
        previous_digest=digest,
        seq=last.seq,
        billing_first_ms=last.watermark_ms,
        quarter_ms=last.quarter_ms,
        watermark_ms=last.watermark_ms,
    )
    append(routed, place, forged)
    named = {one.store for one in differences(routed)}
    assert {"source", "chain", "ledger"} <= named


def test_segment_missing_everywhere(routed: Exchange) -> None:
    """A number that neither weir.usage nor PostgreSQL holds: the rest is still recounted."""
    partition, data, missing = next(
        row for row in routed.segments() if row[2].partition == 0 and row[2].deliveries
    )
    entries = routed.log._broker.topics["weir.usage"].partitions[partition].entries
    gone = next(entry for entry in entries if entry.value == data)
    entries[gone.offset] = replace(gone, marker=True)
    routed.sql("DELETE FROM usage WHERE partition = 0 AND number = :n", n=missing.number)
    routed.sql("DELETE FROM segments WHERE partition = 0 AND number = :n", n=missing.number)
    named = differences(routed)
    assert {one.partition for one in named} == {0}
    assert any(f"segments {missing.number} to" in one.what for one in named)
    rows = {row.subscription: row.metered_records for row in routed.recount().subscriptions}
    assert rows[BUYER] == 11


@pytest.mark.parametrize("kind", ["empty", "gap", "records"])
def test_usage_invented_where_nothing_was_due(
    exchange: Exchange, kind: Literal["records", "empty", "gap"]
) -> None:
    """A well chained, booked segment that meters records for which nothing was due."""
    exchange.produce(10)
    exchange.route()
    place, last, digest = last_segment(exchange)
    _, again = first_segment(exchange)
    mine = next(one for one in again.deliveries if one.subscription == BUYER)
    refused = 1 if kind == "records" else 0
    if refused:
        exchange.send(TOPIC, 0, [b"{}"])
    forged = replace(
        last,
        kind=kind,
        number=last.number + 1,
        first_offset=last.next_offset,
        next_offset=last.next_offset + (kind != "empty"),
        previous_digest=digest,
        source_records=refused,
        source_bytes=3 * refused,
        quarter_ms=last.watermark_ms - last.watermark_ms % (15 * 60 * 1000),
        billing_first_ms=last.watermark_ms,
        deliveries=(replace(mine, records=1_000),),
    )
    append(exchange, place, forged)
    exchange.book()
    named = [one for one in differences(exchange) if one.subscription == BUYER]
    assert "metered 1000 records" in named[0].what
    assert "entitled were 0" in named[0].what
    rows = {row.subscription: row for row in exchange.recount().subscriptions}
    assert (rows[BUYER].entitled_records, rows[BUYER].billed_records) == (10, 1_010)


def test_delivered_to_one_not_entitled(exchange: Exchange) -> None:
    """A segment that meters records for a subscription that was revoked before."""
    exchange.produce(4)
    exchange.route()
    exchange.publish(ev.SubscriptionRevoked(BUYER, PRODUCT))
    place, last, digest = last_segment(exchange)
    _, again = first_segment(exchange)
    forged = replace(
        again,
        number=last.number + 1,
        first_offset=last.next_offset,
        next_offset=last.next_offset + 4,
        previous_digest=digest,
        seq=exchange.seq,
        billing_first_ms=last.watermark_ms,
        watermark_ms=last.watermark_ms,
    )
    append(exchange, place, forged)
    assert any(
        one.subscription == BUYER and "not entitled at control seq" in one.what
        for one in differences(exchange)
    )


def test_committed_offset_moved(routed: Exchange) -> None:
    """A group offset that somebody has moved past the last segment."""
    at = TopicPartition(TOPIC, 0)
    held = routed.log._broker.group("weir-router").committed
    held[at] = Committed(held[at].offset + 5, held[at].metadata)
    (one,) = differences(routed)
    assert one.store == "chain"
    assert f"committed offset is {held[at].offset}" in one.what


def test_foreign_bytes_in_usage(routed: Exchange) -> None:
    """A record of weir.usage that is no segment, and one of no product."""
    routed.send("weir.usage", 0, [b"junk"], key=usage_key(routed.topic_id, 0))
    routed.send("weir.usage", 0, [b"junk"], key=b"stranger")
    named = [one.what for one in differences(routed)]
    assert any("'stranger'" in what for what in named)
    assert len(named) >= 2
