"""Whatever store is tampered with, the recount names it: subscription, partition, offsets."""

from dataclasses import replace
from hashlib import sha256
from typing import Literal

import pytest
from sqlalchemy import insert

from broker.avro.codec import encode_event, encode_segment
from broker.domain import events as ev
from broker.domain.segment import Segment, usage_key
from broker.errors import NotFoundError
from broker.log.ports import Committed, TopicPartition
from broker.store.billing import InvoiceRow
from broker.verify.report import Difference

from .conftest import PRODUCT, QUARANTINE, TOPIC, Exchange, long

BUYER = "grid/forecast"
GOOD = b"\0\0\0\0\1" + long(1)


@pytest.fixture
def routed(exchange: Exchange) -> Exchange:
    """Two segments in partition 0, one in partition 1, refused records in both."""
    exchange.produce(10)
    exchange.send(TOPIC, 0, [b"{}"])
    exchange.route()
    exchange.produce(8, first=100)
    exchange.produce(3, partition=1, first=200)
    exchange.route()
    assert exchange.recount().agrees
    return exchange


def differences(exchange: Exchange) -> list[Difference]:
    """What the recount names; there must be something."""
    report = exchange.recount()
    assert not report.agrees
    assert "DIFFERS" in report.to_table()
    return list(report.differences)


def first_segment(exchange: Exchange, *, records: bool = True) -> tuple[int, Segment]:
    """Place and value of the first segment of partition 0."""
    return next(
        (place, segment)
        for place, _, segment in exchange.segments()
        if segment.partition == 0 and (segment.kind == "records") == records
    )


def last_segment(exchange: Exchange) -> tuple[int, Segment, bytes]:
    """Place, value and digest of the last segment of partition 0."""
    *_, (place, data, segment) = [row for row in exchange.segments() if row[2].partition == 0]
    return place, segment, sha256(data).digest()


def append(exchange: Exchange, place: int, segment: Segment) -> None:
    """Write a forged segment into weir.usage."""
    key = usage_key(segment.topic_id, segment.partition)
    exchange.send("weir.usage", place, [encode_segment(segment)], key=key)


def test_usage_row_raised(routed: Exchange) -> None:
    """A usage row that bills one record more."""
    routed.sql(
        "UPDATE usage SET records = records + 1 WHERE subscription = :s AND partition = 1", s=BUYER
    )
    (one,) = differences(routed)
    assert (one.store, one.subscription, one.partition) == ("ledger", BUYER, 1)
    assert (one.first_offset, one.next_offset) == (0, 3)
    assert one.what == "usage has records 4, the segment says 3"


def test_usage_row_deleted(routed: Exchange) -> None:
    """A usage row that is gone."""
    routed.sql("DELETE FROM usage WHERE subscription = :s AND partition = 1", s=BUYER)
    (one,) = differences(routed)
    assert one.what == "usage lacks the 3 records that were metered"


def test_usage_row_invented(routed: Exchange) -> None:
    """A usage row of somebody whom nothing was delivered to."""
    routed.sql(
        "UPDATE usage SET subscription = 'who/ever' WHERE subscription = :s AND partition = 1",
        s=BUYER,
    )
    named = {(one.subscription, one.what) for one in differences(routed)}
    assert ("who/ever", "usage bills 3 records that no segment metered") in named


def test_stored_segment_changed(routed: Exchange) -> None:
    """Stored bytes of a segment that are not those of weir.usage."""
    routed.sql("UPDATE segments SET canonical = :c WHERE partition = 1 AND number = 1", c=b"x")
    named = differences(routed)
    assert [one.partition for one in named] == [1]
    assert "segment 1: the stored bytes differ" in named[0].what


def test_stored_segment_deleted(routed: Exchange) -> None:
    """A segment that PostgreSQL has lost."""
    routed.sql("DELETE FROM segments WHERE partition = 1 AND number = 1")
    assert "PostgreSQL lacks segment 1" in {one.what for one in differences(routed)}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE chains SET number = number + 1", "reaches segment {after}, which is not there"),
        ("UPDATE chains SET number = number - 1", "reaches segment {before}, the chain {last}"),
        ("UPDATE chains SET digest = x'00'", "disagrees with segment {last}"),
        ("UPDATE chains SET next_offset = next_offset + 1", "disagrees with segment {last}"),
        ("UPDATE chains SET seq = seq + 1", "disagrees with segment {last}"),
        ("UPDATE chains SET watermark_ms = watermark_ms + 1", "disagrees with segment {last}"),
        ("UPDATE chains SET hole = '9 is missing'", "waits: 9 is missing"),
        ("DELETE FROM chains", "is not there"),
    ],
)
def test_row_of_coverage(routed: Exchange, change: str, what: str) -> None:
    """Any column of the ledger's row of a chain, which decides when a period is closed."""
    routed.sql(f"{change} WHERE partition = 0")
    _, last, _ = last_segment(routed)
    (one,) = differences(routed)
    number = last.number
    said = what.format(before=number - 1, last=number, after=number + 1)
    assert one.what == f"the chain's row of coverage {said}"
    assert (one.store, one.product, one.partition) == ("ledger", PRODUCT, 0)
    assert (one.first_offset, one.next_offset) == (last.next_offset, last.next_offset)


def test_row_of_coverage_further_on(routed: Exchange) -> None:
    """A row that is ahead of weir.usage must say what the stored segment says that it names."""
    _, last, _ = last_segment(routed)
    columns = "topic_id, partition, flow, product, first_offset, quarter_ms, billing_first_ms"
    routed.sql(
        f"INSERT INTO segments ({columns}, number, next_offset, seq, watermark_ms, digest, "
        f"canonical) SELECT {columns}, number + 1, next_offset, seq, watermark_ms, digest, "
        "canonical FROM segments WHERE partition = 0 AND number = :n",
        n=last.number,
    )
    routed.sql("UPDATE chains SET number = number + 1, seq = seq + 1 WHERE partition = 0")
    named = [one.what for one in differences(routed)]
    assert f"the chain's row of coverage disagrees with its segment {last.number + 1}" in named


def test_invoice_of_an_unknown_subscription(routed: Exchange) -> None:
    """A bill for a subscription that the control log never activated."""
    names = [column.name for column in InvoiceRow.__table__.columns]
    row = {
        **dict.fromkeys(names, 0),
        **dict.fromkeys(("id", "state", "seller", "buyer", "product", "plan", "currency"), "x"),
        "subscription": "who/ever",
        "created_at": routed.clock.now(),
        **dict.fromkeys(("year", "sequence", "number", "finalised_at")),
        "state": "draft",
    }
    with routed.database.begin() as connection:
        connection.execute(insert(InvoiceRow), [row])
    (one,) = differences(routed)
    assert (one.store, one.subscription) == ("billing", "who/ever")
    assert one.what == "is billed, but the control log never activated it"


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


def test_segment_lost(routed: Exchange) -> None:
    """PostgreSQL holds a segment that weir.usage does not."""
    routed.sql("UPDATE segments SET number = 99 WHERE partition = 1 AND number = 1")
    assert "segment 1 is in PostgreSQL, not in weir.usage" in {
        one.what for one in differences(routed)
    }


def test_control_event_changed_in_postgresql(routed: Exchange) -> None:
    """A control event whose bytes in PostgreSQL are not those of weir.control."""
    routed.sql("UPDATE control_events SET canonical = :c WHERE seq = 4", c=b"x")
    (one,) = differences(routed)
    assert one.store == "control"
    assert one.what.startswith("seq 4 (SubscriptionActivated): PostgreSQL's bytes differ")


def test_control_event_deleted_in_postgresql(routed: Exchange) -> None:
    """A control event that PostgreSQL has lost."""
    routed.sql("DELETE FROM control_events WHERE seq = 4")
    (one,) = differences(routed)
    assert one.what == "seq 4: weir.control holds it, PostgreSQL does not"


def test_control_event_repeated(routed: Exchange) -> None:
    """A byte-identical repeat is what an idempotent relay may write: no difference."""
    event = ev.ControlEvent(routed.seq + 1, routed.clock.ms, ev.PeriodClosing(PRODUCT, 1))
    routed.publish(event.event)
    routed.send("weir.control", 0, [encode_event(event)])
    routed.route()
    assert routed.recount().agrees


def test_control_event_contradicted(routed: Exchange) -> None:
    """Another event under a seq that is taken."""
    event = ev.ControlEvent(3, routed.clock.ms, ev.SubscriptionRevoked(BUYER, PRODUCT))
    routed.send("weir.control", 0, [encode_event(event)])
    (one,) = differences(routed)
    assert one.what == "seq 3 (SubscriptionRevoked) stands here again with another content"
    assert one.topic == "weir.control"


def test_control_event_past_a_hole(routed: Exchange) -> None:
    """An event that leaves numbers out is named, and is not in force."""
    event = ev.ControlEvent(99, routed.clock.ms, ev.SubscriptionRevoked(BUYER, PRODUCT))
    routed.send("weir.control", 0, [encode_event(event)])
    (one,) = differences(routed)
    assert one.what.endswith("a hole, no reader passes it")


def test_committed_offset_moved(routed: Exchange) -> None:
    """A group offset that somebody has moved past the last segment."""
    at = TopicPartition(TOPIC, 0)
    held = routed.log._broker.group("weir-router").committed
    held[at] = Committed(held[at].offset + 5, held[at].metadata)
    (one,) = differences(routed)
    assert one.store == "chain"
    assert f"committed offset is {held[at].offset}" in one.what


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


def test_foreign_bytes_in_usage(routed: Exchange) -> None:
    """A record of weir.usage that is no segment, and one of no product."""
    routed.send("weir.usage", 0, [b"junk"], key=usage_key(routed.topic_id, 0))
    routed.send("weir.usage", 0, [b"junk"], key=b"stranger")
    named = [one.what for one in differences(routed)]
    assert any("'stranger'" in what for what in named)
    assert len(named) >= 2


def test_unknown_product(exchange: Exchange) -> None:
    """A product that there is not is the caller's fault."""
    with pytest.raises(NotFoundError, match="product acme/none"):
        exchange.recount("acme/none")


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
