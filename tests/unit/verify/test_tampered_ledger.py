"""The ledger's tables in PostgreSQL are tampered with: segments, usage, coverage."""

from dataclasses import replace

import pytest

from broker.verify import stored

from .conftest import PRODUCT, Exchange
from .tampering import BUYER, differences, last_segment


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


def test_segment_lost(routed: Exchange) -> None:
    """PostgreSQL holds a segment that weir.usage does not."""
    routed.sql("UPDATE segments SET number = 99 WHERE partition = 1 AND number = 1")
    assert "segment 1 is in PostgreSQL, not in weir.usage" in {
        one.what for one in differences(routed)
    }


_PLACE = "first_offset, next_offset, quarter_ms, billing_first_ms, seq"


def put_usage(exchange: Exchange, chain: tuple[str, int, str], number: int) -> None:
    """Usage of the buyer, seven records, under a place of somebody's choice."""
    exchange.sql(
        f"INSERT INTO usage (subscription, topic_id, partition, flow, number, records, "
        f"billed_bytes, {_PLACE}) SELECT :s, :t, :p, :f, :n, 7, 700, {_PLACE} FROM usage "
        "WHERE subscription = :s AND partition = 1",
        s=BUYER,
        **dict(zip("tpf", chain, strict=True)),
        n=number,
    )


def put_segment(
    exchange: Exchange, chain: tuple[str, int, str], number: int, data: bytes = b""
) -> None:
    """A stored segment, without a chain's row, under a place of somebody's choice."""
    exchange.sql(
        f"INSERT INTO segments (topic_id, partition, flow, number, product, watermark_ms, digest, "
        f"canonical, {_PLACE}) SELECT :t, :p, :f, :n, product, watermark_ms, digest, :c, {_PLACE} "
        "FROM segments WHERE partition = 1 AND number = 1",
        **dict(zip("tpf", chain, strict=True)),
        n=number,
        c=data,
    )


@pytest.mark.parametrize("stretch_rows", [1, 2, 50_000])
@pytest.mark.parametrize("number", [0, 999])
def test_usage_without_a_segment(
    routed: Exchange, number: int, stretch_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Billing sums usage by subscription, whatever it says of its segment."""
    monkeypatch.setattr(stored, "_STRETCH_ROWS", stretch_rows)
    put_usage(routed, (routed.topic_id, 1, "live"), number)
    (one,) = differences(routed)
    assert (one.store, one.subscription, one.partition) == ("ledger", BUYER, 1)
    assert one.what == f"usage bills 7 records under number {number}, of which there is no segment"
    assert routed.recount(PRODUCT).differences == (one,)


@pytest.mark.parametrize(
    ("topic_id", "partition", "flow"),
    [("ffffffff", 0, "live"), (None, 9, "live"), (None, 1, "grant")],
)
def test_usage_of_a_chain_that_is_none(
    routed: Exchange, topic_id: str | None, partition: int, flow: str
) -> None:
    """A segment with its usage in a place that no chain has, and without a chain's row."""
    topic = topic_id or routed.topic_id
    put_segment(routed, (topic, partition, flow), 1)
    put_usage(routed, (topic, partition, flow), 1)
    (one,) = differences(routed)
    assert one.what == f"PostgreSQL has a chain {topic}/{partition}/{flow} of no product"


def test_usage_under_the_number_before_the_first(routed: Exchange) -> None:
    """A segment with its usage in front of a chain."""
    put_segment(routed, (routed.topic_id, 1, "live"), 0)
    put_usage(routed, (routed.topic_id, 1, "live"), 0)
    (one,) = differences(routed)
    assert (one.store, one.partition) == ("ledger", 1)
    assert one.what == "a segment is in PostgreSQL under number 0; the first is 1"


def test_stored_bytes_that_are_no_segment(routed: Exchange) -> None:
    """Past the chain's end, and in its place: both are named, and the recount goes on."""
    put_segment(routed, (routed.topic_id, 1, "live"), 99, b"junk")
    (one,) = differences(routed)
    assert one.what.startswith("segment 99: the stored bytes are none of a segment (")
    assert (one.store, one.partition) == ("ledger", 1)


def test_stored_bytes_that_are_no_segment_where_the_log_has_none(routed: Exchange) -> None:
    """A segment that weir.usage has lost and PostgreSQL holds as junk is missing."""
    place, data, _ = next(row for row in routed.segments() if row[2].partition == 0)
    entries = routed.log._broker.topics["weir.usage"].partitions[place].entries
    gone = next(entry for entry in entries if entry.value == data)
    entries[gone.offset] = replace(gone, marker=True)
    routed.sql("UPDATE segments SET canonical = :c WHERE partition = 0 AND number = 1", c=b"junk")
    named = [one.what for one in differences(routed)]
    assert any("segment 1: the stored bytes are none of a segment" in what for what in named)
    assert any("segments 1 to 1 are missing" in what for what in named)
