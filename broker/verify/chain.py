"""Chain: does a segment follow on from the one before, and is its account of time possible?

A pure function of the link before and the segment. A segment whose number or offsets do not follow
on is not part of the chain: nothing of it is counted, and the chain waits for the one that is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from broker.verify.decode import SegmentLine
from broker.verify.rules import Rules

QUARTER_MS = 15 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Link:
    """Where a chain has got to. `number` 0: before its first segment."""

    number: int = 0
    digest: bytes = bytes(32)
    next_offset: int = 0
    seq: int = 0
    watermark_ms: int = 0

    def after(self, segment: SegmentLine) -> "Link":
        """The link once `segment` is counted; seq and watermark never go back."""
        return Link(
            segment.number,
            segment.digest,
            segment.next_offset,
            max(self.seq, segment.seq),
            max(self.watermark_ms, segment.watermark_ms),
        )


def misplaced(link: Link, segment: SegmentLine) -> str | None:
    """Why the segment, whose number follows on, cannot be the next of the chain."""
    first, end = segment.first_offset, segment.next_offset
    if end < first:
        return f"segment {segment.number} ends before it begins"
    if link.number and first < link.next_offset:
        return (
            f"segment {segment.number} accounts again for offsets that segments up to "
            f"{link.number} have accounted for (they reach {link.next_offset}): a replay"
        )
    if link.number and first > link.next_offset:
        return f"segment {segment.number} leaves a hole: offsets from {link.next_offset} on"
    return None


def faults(link: Link, segment: SegmentLine, rules: Rules | None) -> Iterator[str]:
    """What is wrong with a segment that is in its place."""
    number = segment.number
    if segment.previous_digest != link.digest:
        yield f"segment {number} names another digest than that of segment {link.number}"
    if segment.seq < link.seq:
        yield f"segment {number} goes back to control seq {segment.seq} from {link.seq}"
    if segment.watermark_ms < link.watermark_ms:
        yield (
            f"segment {number} turns billing time back to {segment.watermark_ms} "
            f"from {link.watermark_ms}"
        )
    if segment.kind not in {"records", "empty", "gap"}:
        yield f"segment {number} is of unknown kind {segment.kind}"
    if (segment.kind == "empty") != (segment.first_offset == segment.next_offset):
        yield f"segment {number} is of kind {segment.kind} and covers its offsets otherwise"
    if segment.kind != "records" and any(any(m[:2]) for m in segment.deliveries.values()):
        records = sum(metered.records for metered in segment.deliveries.values())
        yield f"segment {number} is of kind {segment.kind} and meters {records} records"
    if segment.quarter_ms != segment.billing_first_ms - segment.billing_first_ms % QUARTER_MS:
        yield f"segment {number} states quarter {segment.quarter_ms}, its first record another"
    if segment.kind == "records":
        yield from _straddles(segment, rules)


def _straddles(segment: SegmentLine, rules: Rules | None) -> Iterator[str]:
    if segment.billing_first_ms // QUARTER_MS != segment.watermark_ms // QUARTER_MS:
        yield f"segment {segment.number} straddles a quarter hour"
    for anchor_ms, length_ms in rules.periods if rules else ():
        first, last = (
            (at_ms - anchor_ms) // length_ms
            for at_ms in (segment.billing_first_ms, segment.watermark_ms)
        )
        if first != last:
            yield f"segment {segment.number} straddles the end of a period of {length_ms} ms"
