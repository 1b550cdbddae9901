"""Removed: delivery and quarantine topics that were removed by hand and made again, by PostgreSQL.

What was delivered before is gone, and an operator who acknowledges it says so. Then it is chain
only; until then, and for all that was delivered later, what is missing is a difference.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, select

from broker.store.control import OutletTopicRow


@dataclass(frozen=True, slots=True)
class Removal:
    """A topic was seen to be gone at `lost_at`."""

    lost_at: datetime
    acknowledged: bool

    def took(self, watermark_ms: int) -> bool:
        """Whether a segment that ends at this billing time may have been in it.

        One with a record appended later was delivered later, into the topic made after it.
        """
        return watermark_ms <= self.lost_at.timestamp() * 1000


@dataclass(frozen=True, slots=True)
class Removals:
    """Those of one topic, in order of time. `kind`: delivery or quarantine."""

    kind: str
    removals: tuple[Removal, ...] = ()

    def why(self, watermark_ms: int) -> str | None:
        """Why what a segment brought need not be there; None where it must be.

        The earliest removal since the segment took it: if that is not acknowledged, a later one
        that is explains nothing.
        """
        first = next((one for one in self.removals if one.took(watermark_ms)), None)
        if first is None or not first.acknowledged:
            return None
        at = first.lost_at.isoformat(timespec="seconds")
        return f"{self.kind} topic removed at {at}, acknowledged"


def removals_of(
    engine: Engine, topic: str, kind: str, topic_ids: Callable[[list[str]], dict[str, str]]
) -> Removals:
    """The removals of a topic.

    Args:
        engine: the exchange's database.
        topic: its name.
        kind: delivery or quarantine.
        topic_ids: asks Kafka for the id of each topic that exists: while one is there under the
            very id that a row calls lost, that row explains nothing.
    """
    query = (
        select(OutletTopicRow.topic_id, OutletTopicRow.lost_at, OutletTopicRow.acknowledged_at)
        .where(OutletTopicRow.topic == topic, OutletTopicRow.lost_at.is_not(None))
        .order_by(OutletTopicRow.lost_at)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    here = topic_ids([topic]).get(topic) if rows else None
    return Removals(
        kind,
        tuple(
            Removal(_utc(lost_at), acknowledged_at is not None)
            for topic_id, lost_at, acknowledged_at in rows
            if topic_id != here and lost_at is not None
        ),
    )


def _utc(at: datetime) -> datetime:
    """SQLite leaves the zone out."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
