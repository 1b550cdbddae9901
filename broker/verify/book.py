"""Book: what the ledger has written in PostgreSQL of a segment, held against the segment."""

from collections.abc import Iterator

from broker.verify.decode import SegmentLine
from broker.verify.stored import StoredSegment, UsageFields

_COLUMNS = (
    "product",
    "first_offset",
    "next_offset",
    "seq",
    "quarter_ms",
    "billing_first_ms",
    "watermark_ms",
    "digest",
)


def segment_faults(segment: SegmentLine, stored: StoredSegment) -> Iterator[str]:
    """Where the row of `segments` says otherwise."""
    if stored.canonical != segment.canonical:
        yield f"segment {segment.number}: the stored bytes differ from those in weir.usage"
    for name in _COLUMNS:
        ours, theirs = getattr(segment, name), getattr(stored, name)
        if ours != theirs:
            shown = (ours.hex(), theirs.hex()) if isinstance(ours, bytes) else (ours, theirs)
            yield f"segment {segment.number}: {name} is stored as {shown[1]}, it says {shown[0]}"


def usage_faults(segment: SegmentLine, stored: StoredSegment) -> Iterator[tuple[str, str]]:
    """Subscription, and where its row of `usage` says otherwise."""
    for subscription in sorted({*segment.deliveries, *stored.usage}):
        metered = segment.deliveries.get(subscription)
        row = stored.usage.get(subscription)
        if metered is None and row is not None:
            yield subscription, f"usage bills {row.records} records that no segment metered"
        elif metered is not None and row is None:
            yield subscription, f"usage lacks the {metered.records} records that were metered"
        elif metered is not None and row is not None:
            said = UsageFields(
                segment.first_offset,
                segment.next_offset,
                segment.quarter_ms,
                segment.billing_first_ms,
                segment.seq,
                metered.records,
                metered.billed_bytes,
            )
            for name, ours, theirs in zip(said._fields, said, row, strict=True):
                if ours != theirs:
                    yield subscription, f"usage has {name} {theirs}, the segment says {ours}"
