"""Spending: what each subscription was metered, kept finely enough to be summed between bills.

Segments straddle no quarter hour and no end of a fixed period, so quarters suffice, cut also where
an invoice or a plan version begins or ends: memory grows with time, not with segments.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from broker.verify.chain import QUARTER_MS
from broker.verify.decode import Metered, SegmentLine


class Spent(NamedTuple):
    """Metered since `first_ms` of billing time, within one quarter hour."""

    first_ms: int
    records: int
    billed_bytes: int


class Spending:
    """Buckets by subscription. Say every boundary before the first segment comes."""

    def __init__(self) -> None:
        self._boundaries: dict[str, list[int]] = {}
        self._periods: dict[str, tuple[int, int]] = {}
        self._buckets: dict[str, dict[tuple[int, int, int], Spent]] = {}

    def cut_all(
        self,
        subscription: str,
        moments: Iterable[int],
        period: tuple[int, int] | None = None,
    ) -> None:
        """Usage before and from each of these moments on will be asked for apart.

        So will that of each `period` of fixed length: a moment that one begins at, and the length.
        """
        self._boundaries[subscription] = sorted(set(moments))
        if period is not None:
            self._periods[subscription] = period

    def add(self, subscription: str, segment: SegmentLine, metered: Metered) -> None:
        """Count what a segment metered."""
        if not metered.records:
            return
        slot = bisect_right(self._boundaries.get(subscription, []), segment.billing_first_ms)
        anchor_ms, length_ms = self._periods.get(subscription, (0, QUARTER_MS))
        buckets = self._buckets.setdefault(subscription, {})
        key = (segment.quarter_ms, slot, (segment.billing_first_ms - anchor_ms) // length_ms)
        before = buckets.get(key, Spent(segment.billing_first_ms, 0, 0))
        buckets[key] = Spent(
            min(before.first_ms, segment.billing_first_ms),
            before.records + metered.records,
            before.billed_bytes + metered.billed_bytes,
        )

    def between(self, subscription: str, first_ms: int, end_ms: int) -> Iterator[Spent]:
        """What was metered in `[first_ms, end_ms)` of billing time, in no order."""
        for spent in self._buckets.get(subscription, {}).values():
            if first_ms <= spent.first_ms < end_ms:
                yield spent
