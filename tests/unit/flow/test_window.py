"""Windows: no piece straddles a quarter hour or the end of a fixed period."""

from hypothesis import given
from hypothesis import strategies as st

from broker.flow.window import boundary_after, cut
from broker.log.ports import Records

QUARTER = 900_000


def _records(stamps: list[int]) -> Records:
    count = len(stamps)
    return Records(list(range(count)), stamps, [None] * count, [b"v"] * count, [None] * count)


def test_boundary_belongs_to_the_next_window() -> None:
    """A record stamped exactly at a quarter's end is the first of the next quarter."""
    pieces = list(cut(_records([QUARTER - 1, QUARTER]), 0, ()))
    assert [(len(r), first, last) for r, first, last in pieces] == [
        (1, QUARTER - 1, QUARTER - 1),
        (1, QUARTER, QUARTER),
    ]


def test_late_record_belongs_to_the_watermark() -> None:
    """An append time behind the watermark does not turn billing time back."""
    pieces = list(cut(_records([5]), QUARTER + 7, ()))
    assert [(first, last) for _, first, last in pieces] == [(QUARTER + 7, QUARTER + 7)]


def test_end_of_a_fixed_period_is_a_boundary() -> None:
    """Periods of fixed length end at anchor + k times length, also before the anchor."""
    assert boundary_after(1_000, [(1_500, 60_000)]) == 1_500
    assert boundary_after(1_500, [(1_500, 60_000)]) == 61_500


@given(
    stamps=st.lists(st.integers(0, 4 * QUARTER), max_size=30),
    watermark=st.integers(0, QUARTER),
    anchor=st.integers(0, QUARTER),
    length=st.integers(1_000, 2 * QUARTER),
)
def test_cut_loses_nothing_and_straddles_nothing(
    stamps: list[int], watermark: int, anchor: int, length: int
) -> None:
    """Pieces are the records in order; each lies within one quarter and one period."""
    pieces = list(cut(_records(stamps), watermark, [(anchor, length)]))
    assert [o for records, _, _ in pieces for o in records.offsets] == list(range(len(stamps)))
    reached = watermark
    for records, first, last in pieces:
        assert reached <= first <= last
        assert last == max(reached, *records.timestamps_ms)
        assert first // QUARTER == last // QUARTER
        assert (first - anchor) // length == (last - anchor) // length
        reached = last
