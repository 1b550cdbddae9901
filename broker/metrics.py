"""Every metric, declared once; `docs/metrics.md` is made from this file.

Bills never come from metrics. Labels are products, reasons and the like: never a record's key, so
that cardinality is bounded by what an operator created.
"""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)

RECORDS_IN = Counter("weir_records_in", "Source records in committed segments.", ["product"])
RECORDS_DELIVERED = Counter(
    "weir_records_delivered", "Records delivered, over all subscriptions.", ["product"]
)
BYTES_DELIVERED = Counter(
    "weir_bytes_delivered", "Billed bytes delivered, over all subscriptions.", ["product"]
)
RECORDS_REFUSED = Counter(
    "weir_records_refused", "Records quarantined, by reason.", ["product", "reason"]
)
LAG_RECORDS = Gauge(
    "weir_lag_records", "Last stable offset minus committed offset.", ["product", "partition"]
)
TRANSACTION_SECONDS = Histogram(
    "weir_transaction_seconds", "From poll to commit of one batch set.", buckets=_SECONDS
)
TRANSACTIONS = Counter("weir_transactions", "Transactions by outcome.", ["outcome"])
POLICY_SEQ = Gauge("weir_policy_seq", "Seq of the policy in force.")
POLICY_AGE_SECONDS = Gauge(
    "weir_policy_age_seconds", "Since the end of the control log was last confirmed."
)
COVERAGE_LAG_RECORDS = Gauge(
    "weir_coverage_lag_records",
    "Records of weir.usage that the ledger has not applied.",
    ["partition"],
)
SEGMENTS_APPLIED = Counter("weir_segments_applied", "Segments the ledger has applied.")
OUTBOX_AGE_SECONDS = Gauge(
    "weir_outbox_age_seconds", "Age of the oldest control event that is not published; 0 if none."
)
REQUEST_SECONDS = Histogram(
    "weir_request_seconds", "API requests.", ["method", "route", "status"], buckets=_SECONDS
)
ALARM = Gauge("weir_alarm", "1 while an alarm stands.", ["kind", "subject"])
