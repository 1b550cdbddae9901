"""Metrics are declared once, and served by the process that measures them."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from broker import metrics
from broker.metrics import LEDGER, ROUTER, SERVE, Measured, exposition
from broker.metrics_page import page


def test_the_page_is_made_from_the_declarations() -> None:
    """docs/metrics.md lists what broker/metrics.py declares, nothing else."""
    assert Path("docs/metrics.md").read_text() == page(), "run python -m broker.metrics_page"


@pytest.mark.parametrize(
    ("gauge", "own"),
    [
        (metrics.OUTBOX_AGE_SECONDS, SERVE),
        (metrics.POLICY_AGE_SECONDS, ROUTER),
        (metrics.POLICY_SEQ, ROUTER),
    ],
)
def test_gauge_is_served_where_it_is_measured(gauge: Measured, own: CollectorRegistry) -> None:
    """Another process's `/metrics` does not have it, where it would read as healthy."""
    gauge.set(7)

    (line,) = samples(own, gauge)
    assert line.endswith(" 7.0")
    assert [samples(one, gauge) for one in (SERVE, ROUTER, LEDGER) if one != own] == [
        [],
        [],
    ]


def test_alarms_are_served_by_each() -> None:
    """What belongs to all is in every process's answer, once."""
    metrics.ALARM.labels(kind="k", subject="tests").set(1)

    for process in (SERVE, ROUTER, LEDGER):
        assert len(samples(process, metrics.ALARM, "tests")) == 1
    metrics.ALARM.remove("k", "tests")


def test_gauge_is_absent_before_it_is_measured() -> None:
    """What nobody has measured yet is not 0: it is not there."""
    registry = CollectorRegistry()
    gauge = Measured("age_seconds", "Of something.", registry=registry)
    before = generate_latest(registry)
    gauge.set(0)

    assert before == b""
    assert b"age_seconds 0.0" in generate_latest(registry)


def samples(process: CollectorRegistry, metric: Gauge, holding: str = "") -> list[str]:
    """Samples of a metric in a process's `/metrics`."""
    name = next(iter(metric.describe())).name
    lines = exposition(process).decode().splitlines()
    return [line for line in lines if line.startswith(name) and holding in line]
