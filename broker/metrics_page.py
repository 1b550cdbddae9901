"""The page docs/metrics.md, made from `broker/metrics.py`.

`python -m broker.metrics_page > docs/metrics.md`
"""

import sys

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from broker import metrics

_KINDS = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}
_PROCESSES = {"serve": metrics.SERVE, "router": metrics.ROUTER, "ledger": metrics.LEDGER}
_HEAD = """# Metrics

Made from `broker/metrics.py`. Every process serves `/metrics`, `/livez` and `/readyz`; a number is
served by the process that measures it, a gauge without labels once it is measured. Bills never come
from these numbers.

| name | kind | labels | served by | meaning |
|---|---|---|---|---|
"""


def page() -> str:
    """The page as it should stand in docs/metrics.md."""
    declared = [m for m in vars(metrics).values() if isinstance(m, MetricWrapperBase)]
    rows = []
    for metric in declared:
        described = next(iter(metric.describe()))
        suffix = "_total" if isinstance(metric, Counter) else ""
        labels = ", ".join(metric._labelnames) or "none"  # noqa: SLF001  the library has no public name for it
        kind = next(word for cls, word in _KINDS.items() if isinstance(metric, cls))
        served, meaning = _served_by(metric), metric._documentation  # noqa: SLF001  likewise
        name = f"`{described.name}{suffix}`"
        rows.append(f"| {name} | {kind} | {labels} | {served} | {meaning} |")
    return _HEAD + "\n".join(rows) + "\n"


def _served_by(metric: MetricWrapperBase) -> str:
    """The verb of its process."""
    mine = [verb for verb, known in _PROCESSES.items() if metric in known._collector_to_names]  # noqa: SLF001  likewise
    return mine[0] if mine else "each"


if __name__ == "__main__":
    sys.stdout.write(page())
