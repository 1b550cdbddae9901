"""The ledger's tables in PostgreSQL are tampered with: segments, usage, coverage."""

import pytest

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
