"""Alarms: something an operator must see. A gauge that stands at 1, and one line in the log.

The one list of kinds: add one here and in the table of docs/operator.md, call `raise_alarm` where
it is noticed and `clear_alarm` where it ends. Drift of Kafka's topics, users and ACLs is one kind,
each a `Difference` with `alarm=True` (`broker/control/provision_plan.py`, `provision_access.py`).
"""

from contextlib import suppress
from enum import StrEnum

import structlog

from broker import metrics

_log = structlog.get_logger(__name__)


class Alarm(StrEnum):
    """Kinds of alarm; what each means and what to do stands in docs/operator.md."""

    APPEND_TIME_AHEAD = "append-time-ahead"
    BEYOND_END = "beyond-end"
    CHECKPOINT_BROKEN = "checkpoint-broken"
    CONTROL_LOG = "control-log"
    COVERAGE_HOLE = "coverage-hole"
    GAP = "gap"
    HANGING_TRANSACTION = "hanging-transaction"
    KAFKA_DRIFT = "kafka-drift"
    QUARANTINE_UNWRITABLE = "quarantine-unwritable"
    SEGMENT_DIFFERS = "segment-differs"
    STEP_FAILED = "step-failed"
    TASK_FAILED = "task-failed"
    TOPIC_ENDED = "topic-ended"
    TOPIC_RECREATED = "topic-recreated"
    UNDELIVERABLE = "undeliverable"
    USAGE_BEYOND_END = "usage-beyond-end"
    USAGE_EXPIRED = "usage-expired"
    USAGE_REFUSED = "usage-refused"
    USAGE_UNREADABLE = "usage-unreadable"


def raise_alarm(kind: Alarm, subject: str, why: str) -> None:
    """Let an alarm stand, e.g. `TOPIC_RECREATED` on `acme/wind`; saying it again is harmless."""
    metrics.ALARM.labels(kind=kind.value, subject=subject).set(1)
    _log.error("alarm", kind=kind.value, subject=subject, why=why)


def clear_alarm(kind: Alarm, subject: str) -> None:
    """Take it back, if it stands: its series ends, so that old subjects do not pile up."""
    with suppress(KeyError):
        metrics.ALARM.remove(kind.value, subject)
