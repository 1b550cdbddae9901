"""Status: how far the control log, and the ledger behind it, have come."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broker.control.outbox import last_seq, to_ms
from broker.store.control import ControlEventRow
from broker.store.ledger import Chain

CHAINS_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How far the unbroken chain of one partition and flow reaches, and under which seq."""

    product: str
    topic_id: str
    partition: int
    flow: str
    number: int
    next_offset: int
    seq: int
    watermark_ms: int
    hole: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`outbox_age_s`: age of the oldest event that is not published, 0 if there is none."""

    seq: int
    published_seq: int
    outbox_age_s: float
    coverage: tuple[Coverage, ...]


def status(session: Session, *, now: datetime) -> Status:
    """Of the whole exchange; at most 10,000 chains are listed."""
    published = session.scalar(
        select(func.max(ControlEventRow.seq)).where(ControlEventRow.published_at.is_not(None))
    )
    chains = session.scalars(
        select(Chain).order_by(Chain.product, Chain.partition, Chain.flow).limit(CHAINS_MAX)
    )
    return Status(
        seq=last_seq(session),
        published_seq=published or 0,
        outbox_age_s=outbox_age_s(session, now=now),
        coverage=tuple(
            Coverage(
                product=chain.product,
                topic_id=chain.topic_id,
                partition=chain.partition,
                flow=chain.flow,
                number=chain.number,
                next_offset=chain.next_offset,
                seq=chain.seq,
                watermark_ms=chain.watermark_ms,
                hole=chain.hole,
            )
            for chain in chains
        ),
    )


def outbox_age_s(session: Session, *, now: datetime) -> float:
    """Age of the oldest event that is not published; 0 if there is none."""
    oldest_ms = session.scalar(
        select(ControlEventRow.at_ms)
        .where(ControlEventRow.published_at.is_(None))
        .order_by(ControlEventRow.seq)
        .limit(1)
    )
    return 0.0 if oldest_ms is None else max(0, to_ms(now) - oldest_ms) / 1000
