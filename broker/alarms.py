"""Alarms: something an operator must see. A gauge that stands at 1, and one line in the log."""

from contextlib import suppress

import structlog

from broker import metrics

_log = structlog.get_logger(__name__)


def raise_alarm(kind: str, subject: str, why: str) -> None:
    """Let an alarm stand, e.g. `topic-recreated` on `acme/wind`; saying it again is harmless."""
    metrics.ALARM.labels(kind=kind, subject=subject).set(1)
    _log.error("alarm", kind=kind, subject=subject, why=why)


def clear_alarm(kind: str, subject: str) -> None:
    """Take it back, if it stands: its series ends, so that old subjects do not pile up."""
    with suppress(KeyError):
        metrics.ALARM.remove(kind, subject)
