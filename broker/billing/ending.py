"""Ending: when a product whose topic is gone may be billed for good.

Its partitions cannot prove a period's end any more: what the ledger has is all there will be. That
is so once no router can still commit under the policy from before, and the ledger has applied
everything that `weir.usage` held after that moment.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.domain.names import USAGE_TOPIC
from broker.log.ports import Reader, TopicPartition
from broker.store.ledger import UsagePosition

# A router's policy is at most 5 s old when it begins a transaction, which Kafka gives up after
# 15 s (broker/flow/settings.py, broker/log/kafka_settings.py); the rest is for clocks.
LAST_COMMIT_S = 30.0
_TIMEOUT_S = 5.0

Drained = Callable[[], bool]
"""Whether the ledger has applied all that `weir.usage` holds, asked now."""


def never_drained() -> bool:
    """For a caller that cannot ask: an ended product is not complete then."""
    return False


def why_open(ended_at: datetime, *, now: datetime, drained: Drained) -> str | None:
    """Why an ended product cannot be billed yet; None where it can."""
    if now - ended_at < timedelta(seconds=LAST_COMMIT_S):
        return f"its topic ended at {ended_at.isoformat()}; routers may commit a moment longer"
    if not drained():
        return "its topic has ended; the ledger has not applied all of weir.usage yet"
    return None


def ledger_drained(reader: Reader, session: Session) -> bool:
    """Compare the ledger's stored positions with what each partition of `weir.usage` holds.

    Raises:
        LogError: Kafka does not answer.
    """
    positions = {row.partition: row.next_offset for row in session.scalars(select(UsagePosition))}
    partitions = reader.partitions(USAGE_TOPIC, timeout_s=_TIMEOUT_S)
    for partition in range(partitions):
        # Reading, not comparing with the end: behind the last record stand markers.
        left = reader.read(
            TopicPartition(USAGE_TOPIC, partition),
            positions.get(partition, 0),
            records_max=1,
            timeout_s=_TIMEOUT_S,
        )
        if left.records or not left.at_end:
            return False
    return partitions > 0
