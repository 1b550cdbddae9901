"""Count: what a committed transaction held, into the metrics. Bills never come from these."""

from collections.abc import Sequence

from broker import metrics
from broker.flow.batch import Metered


def count(metered: Sequence[Metered]) -> None:
    """Records in, refused and delivered."""
    metrics.TRANSACTIONS.labels(outcome="committed").inc()
    for one in metered:
        segment = one.segment
        metrics.RECORDS_IN.labels(product=segment.product).inc(segment.source_records)
        for refused in segment.refused:
            labels = {"product": segment.product, "reason": refused.reason}
            metrics.RECORDS_REFUSED.labels(**labels).inc(refused.records)
        for delivery in segment.deliveries:
            metrics.RECORDS_DELIVERED.labels(product=segment.product).inc(delivery.records)
            metrics.BYTES_DELIVERED.labels(product=segment.product).inc(delivery.billed_bytes)
