"""What the routers' metrics counted is what the ledger holds in PostgreSQL."""

from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, select

from broker.local.demo.waiting import until
from broker.local.status import status
from broker.local.unit import get
from broker.store.ledger import AppliedSegment, Usage
from tests.kafka.exchange import WAIT_S, Exchange, Market

pytestmark = pytest.mark.kafka

PARTITIONS = 4
VALID = 500
REFUSED = {
    "empty-value": (b"", 3),
    "wrong-magic-byte": (b'{"n": 1}', 5),
    "truncated-header": (b"\0\0", 7),
    "unknown-schema-id": (b"\0\x7f\xff\xff\xff\2", 11),
}
COUNTED = {
    "weir_records_in_total",
    "weir_records_delivered_total",
    "weir_bytes_delivered_total",
    "weir_records_refused_total",
}


def test_metrics_of_the_routers_equal_the_ledger(market: Callable[..., Market]) -> None:
    """Records in, delivered and refused by reason, and billed bytes: equal to PostgreSQL's sums.

    Two routers share the partitions of a product with two buyers.
    """
    made = market(buyers=2, partitions=PARTITIONS)
    header = made.register()
    producer = made.producer()
    for number in range(VALID):
        producer.produce(
            made.product.topic, header + b"\2", str(number), partition=number % PARTITIONS
        )
    for value, count in REFUSED.values():
        for number in range(count):
            producer.produce(made.product.topic, value, partition=number % PARTITIONS)
    assert producer.flush(30) == 0
    made.wait_covered()

    stored = in_postgres(made)
    assert stored["weir_records_delivered_total"] == 2 * VALID
    assert {r: stored[f"weir_records_refused_total {r}"] for r in REFUSED} == {
        reason: count for reason, (_, count) in REFUSED.items()
    }
    # A router counts when its commit has returned, a moment after the records are visible.
    until(
        lambda: in_metrics(made.exchange, made.product_id) == stored,
        what=f"metrics that equal {dict(stored)}",
        timeout_s=WAIT_S,
    )


def in_postgres(made: Market) -> Counter[str]:
    """Sums of the ledger, under the metrics' names; refused ones with their reason."""
    found: Counter[str] = Counter()
    usage = select(func.sum(Usage.records), func.sum(Usage.billed_bytes)).join(
        AppliedSegment,
        (AppliedSegment.topic_id == Usage.topic_id)
        & (AppliedSegment.partition == Usage.partition)
        & (AppliedSegment.flow == Usage.flow)
        & (AppliedSegment.number == Usage.number),
    )
    with made.exchange.database.connect() as connection:
        records, size_bytes = connection.execute(
            usage.where(AppliedSegment.product == made.product_id)
        ).one()
    found["weir_records_delivered_total"] = int(records)
    found["weir_bytes_delivered_total"] = int(size_bytes)
    for segment in made.exchange.segments(made.product_id):
        found["weir_records_in_total"] += segment.source_records
        for refused in segment.refused:
            found[f"weir_records_refused_total {refused.reason}"] += refused.records
    return found


def in_metrics(exchange: Exchange, product: str) -> Counter[str]:
    """The same from `/metrics`, summed over the router processes."""
    found: Counter[str] = Counter()
    routers = [one.state for one in status(exchange.home).processes if "router" in one.state.name]
    assert len(routers) == 2
    for router in routers:
        code, text = get(urlsplit(router.address).port or 0, "/metrics")
        assert code == 200, text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name in COUNTED and sample.labels["product"] == product:
                    reason = sample.labels.get("reason")
                    name = f"{sample.name} {reason}" if reason else sample.name
                    found[name] += int(sample.value)
    return found
