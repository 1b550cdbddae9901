"""Outlets: delivery and quarantine topics, by id, and what is lost with one that was removed.

    seen in Kafka ─▶ there ─gone, or of another id─▶ lost ─acknowledge▶ (no alarm)

A removed one is made again, so that delivery goes on. What it held does not come back, though it
was billed: that must not pass in silence.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.control.provision_plan import exchange_gone
from broker.control.provision_values import Desired, Ending, Lost, Observed
from broker.domain.actor import Actor
from broker.errors import InvalidFieldError
from broker.store.control import OutletTopicRow


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose topic it is; `since` is when it began to be used, `until` when its holder ended."""

    name: str
    kind: Literal["delivery", "quarantine"]
    since: datetime | None
    until: datetime | None

    def had(self, lost_at: datetime) -> bool:
        """Whether it had begun to use the topic by then, and has not ended since."""
        begun = self.since is not None and self.since <= lost_at
        return begun and (self.until is None or self.until <= lost_at)


def there(session: Session) -> dict[str, str]:
    """Id of each topic that Kafka had when it was last looked at."""
    rows = session.scalars(select(OutletTopicRow).where(OutletTopicRow.lost_at.is_(None)))
    return {row.topic: row.topic_id for row in rows}


def lost(
    session: Session, holders: Iterable[tuple[str, Holder]], endings: Iterable[Ending]
) -> tuple[Lost, ...]:
    """What is gone and not acknowledged, by name.

    Left out: what nobody had begun to use, whose holder has ended since, whose retention is over.
    """
    by_topic = dict(holders)
    over = {one.topic for one in endings}
    rows = session.scalars(
        select(OutletTopicRow)
        .where(OutletTopicRow.lost_at.is_not(None), OutletTopicRow.acknowledged_at.is_(None))
        .order_by(OutletTopicRow.topic, OutletTopicRow.lost_at)
    )
    found = []
    for row in rows:
        holder = by_topic.get(row.topic)
        if holder is None or row.lost_at is None or row.topic in over:
            continue
        if holder.had(row.lost_at):
            found.append(
                Lost(
                    topic=row.topic,
                    topic_id=row.topic_id,
                    kind=holder.kind,
                    holder=holder.name,
                    at=row.lost_at,
                )
            )
    return tuple(found)


def unkept(desired: Desired, observed: Observed) -> tuple[dict[str, str], frozenset[str]]:
    """What Kafka has and has no longer, that `note` was not told yet. Pure.

    Returns:
        Id of each topic that is there under another id than the one that is known, or under its
        first; and names of those that were there and are not. Nothing where the exchange's own
        topics are gone, nor that a topic is gone which may go.
    """
    if exchange_gone(desired, observed):
        return {}, frozenset()
    may_go = {one.topic for one in desired.endings}
    seen, gone = {}, set()
    for name, wanted in desired.topics.items():
        if wanted.kind not in ("delivery", "quarantine"):
            continue
        found = observed.topics.get(name)
        if found is not None and found.topic_id != wanted.topic_id:
            seen[name] = found.topic_id
        elif found is None and wanted.topic_id is not None and name not in may_go:
            gone.add(name)
    return seen, frozenset(gone)


def note(
    session: Session, seen: Mapping[str, str], gone: Collection[str], *, now: datetime
) -> None:
    """Keep what Kafka has, and which of those that were there are no longer.

    Args:
        session: the caller's transaction.
        seen: id of each topic that is there.
        gone: names of topics that no broker knows.
        now: when.
    """
    names = [*seen, *gone]
    rows = session.scalars(select(OutletTopicRow).where(OutletTopicRow.topic.in_(names))).all()
    # An id that was lost does not come back: a broker that has not heard yet still says it.
    past = {(row.topic, row.topic_id) for row in rows if row.lost_at is not None}
    news = {topic: one for topic, one in seen.items() if (topic, one) not in past}
    for row in rows:
        if row.lost_at is None and (
            row.topic in gone or news.get(row.topic, row.topic_id) != row.topic_id
        ):
            row.lost_at = now
    session.flush()
    known = {(row.topic, row.topic_id) for row in rows}
    session.add_all(
        OutletTopicRow(topic=topic, topic_id=topic_id, seen_at=now)
        for topic, topic_id in news.items()
        if (topic, topic_id) not in known
    )


def acknowledge(session: Session, topic: str, *, by: Actor, now: datetime) -> None:
    """End the alarm over what is lost with this topic's removal.

    Raises:
        InvalidFieldError: nothing is, or it was acknowledged before.
    """
    rows = session.scalars(
        select(OutletTopicRow).where(
            OutletTopicRow.topic == topic,
            OutletTopicRow.lost_at.is_not(None),
            OutletTopicRow.acknowledged_at.is_(None),
        )
    ).all()
    if not rows:
        raise InvalidFieldError(
            "topic",
            f"nothing that is lost with {topic} waits to be acknowledged; `weir reconcile` shows "
            "what does",
        )
    for row in rows:
        row.acknowledged_at = now
        row.acknowledged_by = by.name
