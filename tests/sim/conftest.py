"""The simulator runs a thousand worlds: its lanes log nothing, and no alarm outlives its test."""

from collections.abc import Iterator

import pytest
import structlog

from broker import metrics


@pytest.fixture(autouse=True, scope="session")
def _silent() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _no_alarms() -> None:
    metrics.ALARM.clear()
