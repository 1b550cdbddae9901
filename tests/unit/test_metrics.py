"""Metrics are declared once."""

from pathlib import Path

from broker.metrics_page import page


def test_the_page_is_made_from_the_declarations() -> None:
    """docs/metrics.md lists what broker/metrics.py declares, nothing else."""
    assert Path("docs/metrics.md").read_text() == page(), "run python -m broker.metrics_page"
