"""Every metric, declared once; `docs/metrics.md` is made from this file.

Each belongs to the process that measures it, and only there it is served: what another process
measures would stand there as 0 and read as healthy. Alarms belong to all.

Bills never come from metrics. Labels are products, reasons and the like: never a record's key, so
that cardinality is bounded by what an operator created.
"""

from collections.abc import Iterable

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    generate_latest,
)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)
SERVE, ROUTER, LEDGER = CollectorRegistry(), CollectorRegistry(), CollectorRegistry()


class Measured(Gauge):
    """A gauge that is not there before it was measured. Has no labels."""

    _measured = False

    def set(self, value: float) -> None:
        """Measure."""
        super().set(value)
        self._measured = True

    def collect(self) -> Iterable[Metric]:
        """The gauge, once it is measured."""
        return super().collect() if self._measured else ()


def exposition(process: CollectorRegistry) -> bytes:
    """What a process serves at `/metrics`: its own, and what belongs to all."""
    return generate_latest(REGISTRY) + generate_latest(process)


RECORDS_IN = Counter(
    "weir_records_in", "Source records in committed segments.", ["product"], registry=ROUTER
)
RECORDS_DELIVERED = Counter(
    "weir_records_delivered",
    "Records delivered, over all subscriptions.",
    ["product"],
    registry=ROUTER,
)
BYTES_DELIVERED = Counter(
    "weir_bytes_delivered",
    "Billed bytes delivered, over all subscriptions.",
    ["product"],
    registry=ROUTER,
)
RECORDS_REFUSED = Counter(
    "weir_records_refused",
    "Records quarantined, by reason.",
    ["product", "reason"],
    registry=ROUTER,
)
LAG_RECORDS = Gauge(
    "weir_lag_records",
    "Last stable offset minus committed offset.",
    ["product", "partition"],
    registry=ROUTER,
)
TRANSACTION_SECONDS = Histogram(
    "weir_transaction_seconds",
    "From poll to commit of one batch set.",
    buckets=_SECONDS,
    registry=ROUTER,
)
TRANSACTIONS = Counter(
    "weir_transactions", "Transactions by outcome.", ["outcome"], registry=ROUTER
)
POLICY_SEQ = Measured("weir_policy_seq", "Seq of the policy in force.", registry=ROUTER)
POLICY_AGE_SECONDS = Measured(
    "weir_policy_age_seconds",
    "Since the end of the control log was last confirmed.",
    registry=ROUTER,
)
COVERAGE_LAG_RECORDS = Gauge(
    "weir_coverage_lag_records",
    "Records of weir.usage that the ledger has not applied.",
    ["partition"],
    registry=LEDGER,
)
SEGMENTS_APPLIED = Counter(
    "weir_segments_applied", "Segments the ledger has applied.", registry=LEDGER
)
OUTBOX_AGE_SECONDS = Measured(
    "weir_outbox_age_seconds",
    "Age of the oldest control event that is not published; 0 if none.",
    registry=SERVE,
)
REQUEST_SECONDS = Histogram(
    "weir_request_seconds",
    "API requests.",
    ["method", "route", "status"],
    buckets=_SECONDS,
    registry=SERVE,
)
ALARM = Gauge("weir_alarm", "1 while an alarm stands.", ["kind", "subject"])
