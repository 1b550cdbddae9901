"""Segment: the router's account of one committed range of source offsets.

A chain is the segments of one (topic id, partition, flow): numbers without gap from 1, each naming
the SHA-256 of the canonical bytes of the one before. Canonical bytes are the record's value in
`weir.usage` as it stands there: Avro single-object encoding of `schemas/Segment.avsc`
(`broker.avro.codec.encode_segment`).
"""

from dataclasses import dataclass
from typing import Literal

QUARTER_MS = 15 * 60 * 1000
GENESIS_DIGEST = bytes(32)
LIVE = "live"

SegmentKind = Literal["records", "empty", "gap"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one subscription was delivered in the segment.

    `billed_bytes`: key + value + header names and values, uncompressed; null counts 0. `digest`:
    SHA-256 over the delivered columns (`broker/flow/meter.py` and `broker/verify` each say how).
    """

    subscription: str
    records: int
    billed_bytes: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """What one subscription was entitled to but could not be given; counted, not billed."""

    subscription: str
    records: int
    billed_bytes: int


@dataclass(frozen=True, slots=True)
class Refused:
    """How many records were quarantined for one reason."""

    reason: str
    records: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One account; see `schemas/Segment.avsc` for each field.

    Units: `quarter_ms` is the start of the quarter hour of billing time that all its records
    belong to; `billing_first_ms` the billing time of its first record (for an empty segment the
    watermark); `watermark_ms` the billing time reached after it. ms since 1970 UTC.
    """

    topic: str
    topic_id: str
    product: str
    partition: int
    flow: str
    kind: SegmentKind
    number: int
    first_offset: int
    next_offset: int
    seq: int
    source_records: int
    source_bytes: int
    refused: tuple[Refused, ...]
    quarter_ms: int
    billing_first_ms: int
    watermark_ms: int
    previous_digest: bytes
    deliveries: tuple[Delivery, ...]
    undeliverable: tuple[Undeliverable, ...]
    gap_reason: str | None = None


def quarter_of(billing_ms: int) -> int:
    """Start of the quarter hour that a billing time lies in, ms."""
    return billing_ms - billing_ms % QUARTER_MS


def usage_key(topic_id: str, partition: int) -> bytes:
    """Key of a segment's record in `weir.usage`."""
    return f"{topic_id}:{partition}".encode()


def usage_partition(topic_id: str, partition: int, count: int) -> int:
    """Partition of `weir.usage` for a source partition; ours, so that no client's hash decides.

    The first 8 hex digits of the topic id (a UUID, hyphens dropped) spread products; adding the
    partition spreads the partitions of one product.
    """
    return (int(topic_id.replace("-", "")[:8], 16) + partition) % count
