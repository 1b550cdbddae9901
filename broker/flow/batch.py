"""What flows: a batch of one source partition, and what each step makes of it.

    Batch ─enforce▶ Enforced ─route▶ Routed ─meter▶ Metered

A batch becomes one segment. A batch set is one Kafka transaction; it carries the group metadata and
the lane epoch it was polled under, and offsets travel with the payload.
"""

from dataclasses import dataclass

from broker.domain.policy import Policy, ProductRule, SubscriptionRule
from broker.domain.reasons import Reason
from broker.domain.segment import Segment, SegmentKind
from broker.log.ports import GroupMetadata, Records, TopicPartition


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one partition that share a quarter hour of billing time, in offset order.

    [first_offset, next_offset) may hold offsets without a record (transaction markers).
    `watermark_ms`: the billing time reached after it. `source_bytes`: key + value + headers of all.
    """

    partition: TopicPartition
    product: ProductRule
    kind: SegmentKind
    records: Records
    first_offset: int
    next_offset: int
    billing_first_ms: int
    watermark_ms: int
    source_bytes: int
    gap_reason: str | None = None


@dataclass(frozen=True, slots=True)
class BatchSet:
    """One transaction's worth: batches in chain order within each partition."""

    epoch: int
    group: GroupMetadata
    policy: Policy
    batches: tuple[Batch, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The index in the batch's records, and the rule it broke."""

    index: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Entitled:
    """The records one subscription is entitled to. Equal record sets are one object."""

    subscription: SubscriptionRule
    records: Records


@dataclass(frozen=True, slots=True)
class Enforced:
    """Which records are valid, and who gets which of them."""

    batch: Batch
    seq: int
    deliveries: tuple[Entitled, ...]
    undeliverable: tuple[Entitled, ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Routed:
    """What was handed to the producer. Handed over is not delivered: only the commit says so."""

    enforced: Enforced


@dataclass(frozen=True, slots=True)
class Metered:
    """The segment of one batch with its canonical bytes and their SHA-256."""

    batch: Batch
    segment: Segment
    canonical: bytes
    digest: bytes
