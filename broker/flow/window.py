"""Billing windows: cut fetched records so that no batch straddles a billing boundary.

Boundaries are the quarter hours and the ends of billing periods of fixed length. Billing time of a
record is max(watermark, append time): it never runs backwards, so a record that becomes visible
after its quarter was closed belongs to the next.
"""

from collections.abc import Iterable, Iterator

from broker.domain.segment import QUARTER_MS, quarter_of
from broker.log.ports import Records


def boundary_after(billing_ms: int, periods: Iterable[tuple[int, int]]) -> int:
    """The first boundary above `billing_ms`; `periods` holds (anchor_ms, length_ms)."""
    boundary = quarter_of(billing_ms) + QUARTER_MS
    for anchor_ms, length_ms in periods:
        # Floor division also finds the end that follows a time before the anchor.
        end_ms = anchor_ms + ((billing_ms - anchor_ms) // length_ms + 1) * length_ms
        boundary = min(boundary, end_ms)
    return boundary


def cut(
    records: Records, watermark_ms: int, periods: Iterable[tuple[int, int]]
) -> Iterator[tuple[Records, int, int]]:
    """Pieces of `records` within one window each.

    Yields:
        (records, billing time of the first, watermark after the last); nothing where there are
        no records.
    """
    ends = tuple(periods)
    first = 0
    total = len(records)
    while first < total:
        stamps = records.timestamps_ms if first == 0 else records.timestamps_ms[first:]
        billing_first_ms = max(watermark_ms, stamps[0])
        boundary = boundary_after(billing_first_ms, ends)
        highest = max(stamps)
        highest = max(watermark_ms, highest)
        if highest < boundary:
            piece = records if first == 0 else records.slice(first, total)
            yield piece, billing_first_ms, highest
            return
        stop = first + next(i for i, stamp in enumerate(stamps) if stamp >= boundary)
        reached_ms = max(records.timestamps_ms[first:stop])
        watermark_ms = max(watermark_ms, reached_ms)
        yield records.slice(first, stop), billing_first_ms, watermark_ms
        first = stop
