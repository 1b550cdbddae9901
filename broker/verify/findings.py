"""Findings: what is gathered while recounting, within bounds.

Ranges that touch are joined, so that a long stretch is one line, not one a segment.
"""

from collections import Counter
from dataclasses import dataclass, field, replace

from broker.verify.report import RANGES_MAX, Difference, Range, Unbilled

_DIFFERENCES_MAX = 1_000


@dataclass(slots=True)
class Tally:
    """Records and bytes of one subscription so far, by where they were counted."""

    records: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)

    def add(self, where: str, records: int, billed_bytes: int) -> None:
        """Count."""
        self.records[where] += records
        self.bytes[where] += billed_bytes


@dataclass(slots=True)
class Findings:
    """Differences, ranges and tallies of one recount."""

    differences: list[Difference] = field(default_factory=list)
    differences_total: int = 0
    undeliverable: list[Range] = field(default_factory=list)
    chain_only: list[Range] = field(default_factory=list)
    gaps: list[Range] = field(default_factory=list)
    unbilled: list[Unbilled] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    source_records: Counter[str] = field(default_factory=Counter)
    valid_records: Counter[str] = field(default_factory=Counter)
    refused: dict[str, Counter[str]] = field(default_factory=dict)
    segments: int = 0

    def differ(self, difference: Difference) -> None:
        """Keep a difference; past the bound only count it."""
        self.differences_total += 1
        if len(self.differences) < _DIFFERENCES_MAX:
            self.differences.append(difference)

    def late(self, unbilled: Unbilled) -> None:
        """Keep a period that nobody has billed, within the bound."""
        if len(self.unbilled) < RANGES_MAX:
            self.unbilled.append(unbilled)

    def tally(self, subscription: str) -> Tally:
        """The tally of a subscription."""
        return self.tallies.setdefault(subscription, Tally())


def extend(ranges: list[Range], more: Range) -> None:
    """Add a range, joined to an earlier one that it continues."""
    for index in range(len(ranges) - 1, max(-1, len(ranges) - 200), -1):
        last = ranges[index]
        if (last.product, last.partition, last.subscription, last.why, last.next_offset) == (
            more.product,
            more.partition,
            more.subscription,
            more.why,
            more.first_offset,
        ):
            ranges[index] = replace(
                last, next_offset=more.next_offset, records=last.records + more.records
            )
            return
    if len(ranges) < RANGES_MAX:
        ranges.append(more)
