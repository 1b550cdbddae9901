"""Closing by proof: a period ends when every partition has proven it, not after a grace period.

    request_close ──PeriodClosing(seq)──▶ routers ──segments──▶ ledger ──proof──▶ complete

Complete means: each partition of the product has a segment (empty if need be) made under `seq` or
later, and its billing time has reached the end; so no earlier record can still come.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from broker.billing.ending import Drained, never_drained, why_open
from broker.control import outbox
from broker.domain.events import PeriodClosing
from broker.domain.segment import LIVE
from broker.errors import InvalidFieldError, NotFoundError
from broker.store.billing import PeriodCloseRow
from broker.store.control import ProductRow
from broker.store.ledger import Chain

LISTED_MAX = 100


@dataclass(frozen=True, kw_only=True)
class Close:
    """A request to close a product's billing time at `end_ms`, and whether it was billed."""

    product: str
    end_ms: int
    seq: int
    finalise: bool
    interim: bool
    requested_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A partition that has not proven the end yet, and why."""

    partition: int
    why: str


@dataclass(frozen=True, kw_only=True)
class Proof:
    """How far a close is proven."""

    close: Close
    missing: tuple[Missing, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


def request_close(
    session: Session,
    product: str,
    end_ms: int,
    *,
    by: str,
    finalise: bool = True,
    interim: bool = True,
    now: datetime,
) -> Close:
    """Ask every router to prove that billing time has reached `end_ms`; asking again is no error.

    Asking for interim bills where the close had none asks for a new proof.

    Args:
        session: the control event is written in its transaction.
        product: its id.
        end_ms: not after `now`: a watermark in the future would move later records with it.
        by: who asks.
        finalise: issue the invoices at once; otherwise they wait as drafts.
        interim: bill what there is so far of periods that go on; otherwise only those that ended.
        now: the moment of the request.

    Raises:
        NotFoundError: no such product, or it was never published.
        InvalidFieldError: `end_ms` lies in the future.
    """
    row = session.get(ProductRow, product, with_for_update=True)
    if row is None or row.topic_id is None:
        raise NotFoundError("published product", product)
    if not 0 < end_ms <= outbox.to_ms(now):
        raise InvalidFieldError(
            "end_ms", f"must not lie in the future, is {iso(end_ms)}; it is {now.isoformat()} now"
        )
    existing = session.get(PeriodCloseRow, (product, end_ms))
    if existing is not None and interim and not existing.interim:
        session.delete(existing)
        session.flush()
        existing = None
    if existing is None:
        seq = outbox.append(session, PeriodClosing(product=product, end_ms=end_ms), now=now)
        session.flush()
        existing = PeriodCloseRow(
            product=product,
            end_ms=end_ms,
            seq=seq,
            finalise=finalise,
            interim=interim,
            requested_at=now,
            requested_by=by,
            settled_at=None,
            billed_through="",
        )
        session.add(existing)
        session.flush()
    return _close(existing)


def proof(
    session: Session,
    product: str,
    end_ms: int,
    *,
    now: datetime,
    drained: Drained = never_drained,
) -> Proof:
    """Whether a close is complete, or which partitions are missing.

    Args:
        session: reads the ledger's tables.
        product: its id.
        end_ms: of the close.
        now: for a product whose topic has ended; see `broker/billing/ending.py`.
        drained: likewise; asked only for such a product.

    Raises:
        NotFoundError: nobody has asked to close the product at that end.
    """
    row = session.get(PeriodCloseRow, (product, end_ms))
    if row is None:
        raise NotFoundError("period close", f"{product} at {iso(end_ms)}")
    return Proof(close=_close(row), missing=_missing(session, _close(row), now, drained))


def closes(
    session: Session, product: str, *, before_ms: int | None = None, limit: int = LISTED_MAX
) -> list[Close]:
    """The closes of a product, latest end first: those that end before `before_ms`, if given."""
    asked = select(PeriodCloseRow).where(PeriodCloseRow.product == product)
    if before_ms is not None:
        asked = asked.where(PeriodCloseRow.end_ms < before_ms)
    rows = session.scalars(asked.order_by(PeriodCloseRow.end_ms.desc()).limit(limit))
    return [_close(row) for row in rows]


def unsettled(
    session: Session, *, after: tuple[int, str] | None = None, limit: int = LISTED_MAX
) -> list[Close]:
    """Closes that were not billed yet, by end and product: those past `(end_ms, product)`."""
    asked = select(PeriodCloseRow).where(PeriodCloseRow.settled_at.is_(None))
    if after is not None:
        asked = asked.where(tuple_(PeriodCloseRow.end_ms, PeriodCloseRow.product) > after)
    rows = session.scalars(
        asked.order_by(PeriodCloseRow.end_ms, PeriodCloseRow.product).limit(limit)
    )
    return [_close(row) for row in rows]


def iso(at_ms: int) -> str:
    """A moment as text, e.g. `2026-11-24T13:00:00.000Z`."""
    at = datetime.fromtimestamp(at_ms // 1000, tz=UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03}Z"


def _missing(
    session: Session, close: Close, now: datetime, drained: Drained
) -> tuple[Missing, ...]:
    product = session.get_one(ProductRow, close.product)
    chains = {
        chain.partition: chain
        for chain in session.scalars(
            select(Chain).where(Chain.topic_id == product.topic_id, Chain.flow == LIVE)
        )
    }
    ended = product.ended_at is not None
    open_why = why_open(product.ended_at, now=now, drained=drained) if product.ended_at else None
    missing = []
    for partition in range(product.partitions):
        why = open_why or _why_missing(chains.get(partition), close, ended=ended)
        if why is not None:
            missing.append(Missing(partition=partition, why=why))
    return tuple(missing)


def _why_missing(chain: Chain | None, close: Close, *, ended: bool) -> str | None:
    if chain is not None and chain.hole:
        return f"the ledger waits for a missing segment: {chain.hole}"
    if ended:
        # The topic is gone, and `why_open` found nothing: the chain is all there will ever be.
        return None
    if chain is None:
        return "has no segment yet; is a router running?"
    if chain.seq < close.seq:
        return f"was last accounted under control seq {chain.seq}, the close is {close.seq}"
    if chain.watermark_ms < close.end_ms:
        return f"billing time has reached {iso(chain.watermark_ms)}, the end is later"
    return None


def _close(row: PeriodCloseRow) -> Close:
    return Close(
        product=row.product,
        end_ms=row.end_ms,
        seq=row.seq,
        finalise=row.finalise,
        interim=row.interim,
        requested_at=row.requested_at,
        settled_at=row.settled_at,
    )
