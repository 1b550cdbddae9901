"""The page docs/metrics.md, made from `broker/metrics.py`.

`python -m broker.metrics_page > docs/metrics.md`
"""

import sys

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from broker import metrics

_KINDS = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}
_HEAD = """# Metrics

Made from `broker/metrics.py`. Every process serves `/metrics`, `/livez` and `/readyz`. Bills never
come from these numbers.

| name | kind | labels | meaning |
|---|---|---|---|
"""


def page() -> str:
    """The page as it should stand in docs/metrics.md."""
    declared = [m for m in vars(metrics).values() if isinstance(m, MetricWrapperBase)]
    rows = []
    for metric in declared:
        described = next(iter(metric.describe()))
        suffix = "_total" if isinstance(metric, Counter) else ""
        labels = ", ".join(metric._labelnames) or "none"  # noqa: SLF001  the library has no public name for it
        kind = _KINDS[type(metric)]
        rows.append(f"| `{described.name}{suffix}` | {kind} | {labels} | {metric._documentation} |")  # noqa: SLF001  likewise
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
