"""Meter: the segment of one batch, from what was handed to the producer.

    route ──Routed──▶ meter ──Metered──▶ commit

Pure: counts, digests and numbers; the segment is written by `commit`.
"""

from collections import Counter
from hashlib import sha256

from broker.avro.codec import encode_segment
from broker.domain.segment import LIVE, Delivery, Refused, Segment, Undeliverable, quarter_of
from broker.flow.batch import Enforced, Metered, Routed
from broker.flow.chain import Chain
from broker.flow.digest import digest
from broker.flow.weigh import billed_bytes
from broker.log.ports import Records


def meter(routed: Routed, chain: Chain) -> Metered:
    """The account of one batch, as the next segment of `chain`."""
    enforced = routed.enforced
    batch = enforced.batch
    segment = Segment(
        topic=batch.partition.topic,
        topic_id=chain.topic_id,
        product=batch.product.id,
        partition=batch.partition.partition,
        flow=LIVE,
        kind=batch.kind,
        number=chain.number + 1,
        first_offset=batch.first_offset,
        next_offset=batch.next_offset,
        seq=enforced.seq,
        source_records=len(batch.records),
        source_bytes=batch.source_bytes,
        refused=_refused(enforced),
        quarter_ms=quarter_of(batch.billing_first_ms),
        billing_first_ms=batch.billing_first_ms,
        watermark_ms=batch.watermark_ms,
        previous_digest=chain.digest,
        deliveries=_deliveries(enforced),
        undeliverable=tuple(
            Undeliverable(e.subscription.id, len(e.records), billed_bytes(e.records))
            for e in enforced.undeliverable
        ),
        gap_reason=batch.gap_reason,
    )
    canonical = encode_segment(segment)
    return Metered(batch, segment, canonical, sha256(canonical).digest())


def _refused(enforced: Enforced) -> tuple[Refused, ...]:
    counts = Counter(str(refusal.reason) for refusal in enforced.refusals)
    return tuple(Refused(reason, count) for reason, count in sorted(counts.items()))


def _deliveries(enforced: Enforced) -> tuple[Delivery, ...]:
    """Equal record sets are one object: counted and digested once, whatever the fan-out."""
    counted: dict[int, tuple[Records, int, bytes]] = {}
    deliveries = []
    for entitled in enforced.deliveries:
        records = entitled.records
        if id(records) not in counted:
            whole = records is enforced.batch.records
            size_bytes = enforced.batch.source_bytes if whole else billed_bytes(records)
            counted[id(records)] = (records, size_bytes, digest(records))
        _, size_bytes, sum_ = counted[id(records)]
        deliveries.append(Delivery(entitled.subscription.id, len(records), size_bytes, sum_))
    return tuple(deliveries)
