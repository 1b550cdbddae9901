"""Due: periods that have ended are closed by themselves.

    news (triggers) ─▶ look at once ┐
    a period ends ───▶ look now ────┴─▶ due ─▶ one close a product

Each subscription has a row that says when to look at it next, so a look costs what has changed or
ended since the last one, however many subscriptions there are.

Such a close bills the periods that end with it or before, and no other: periods of a fixed length
end at moments of their own, and a neighbour's end is no reason for an interim invoice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime

import structlog
from sqlalchemy import delete, func, literal, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, sessionmaker

from broker.billing.close import Close, request_close
from broker.billing.contract import Contract
from broker.billing.contracts import PAGE_MAX, contracts_named
from broker.billing.outlook import outlook_of
from broker.control import outbox
from broker.errors import WeirError
from broker.store.billing import BillingDueRow, BillingNewsRow, PeriodCloseRow
from broker.store.control import ProductRow, SubscriptionRow
from broker.store.locks import BILL

AUTOMATIC = "weir"  # who asks

_log = structlog.get_logger()


def request_due(sessions: sessionmaker[Session], *, now: datetime) -> list[Close]:
    """Ask for a close of each product that has a period which ended; each in its transaction.

    Several processes may call this at once: while one is at it, the others leave it to it. A
    subscription whose periods cannot be told is logged and holds up no other.

    Returns:
        The closes asked for.
    """
    now_ms = outbox.to_ms(now)
    while _hear(sessions):
        pass
    seen: tuple[int, str] | None = (-1, "")
    while seen is not None:
        seen = _look(sessions, now_ms=now_ms, after=seen)
    return list(_ask(sessions, now=now))


def _alone(session: Session) -> bool:
    # One process at a time, so that none writes what it read before another.
    held: bool = session.execute(
        text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": BILL}
    ).scalar_one()
    return held


def _hear(sessions: sessionmaker[Session]) -> bool:
    """Mark a page of subscriptions that there is news of; whether there may be more."""
    with sessions.begin() as session:
        if not _alone(session):
            return False
        ids = session.scalars(select(BillingNewsRow.id).order_by(BillingNewsRow.id).limit(PAGE_MAX))
        told = session.scalars(
            delete(BillingNewsRow)
            .where(BillingNewsRow.id.in_(ids.all()))
            .returning(BillingNewsRow.subscription)
        ).all()
        marked = insert(BillingDueRow).from_select(
            ["subscription", "product", "look_ms"],
            select(SubscriptionRow.id, SubscriptionRow.product, literal(0)).where(
                SubscriptionRow.id.in_(told), SubscriptionRow.activated_at.is_not(None)
            ),
        )
        session.execute(
            marked.on_conflict_do_update(
                index_elements=[BillingDueRow.subscription], set_={"look_ms": 0}
            )
        )
        return len(told) == PAGE_MAX


def _look(
    sessions: sessionmaker[Session], *, now_ms: int, after: tuple[int, str]
) -> tuple[int, str] | None:
    """Look at a page of those whose time has come, past `after`; the last one, None at the end."""
    with sessions.begin() as session:
        if not _alone(session):
            return None
        key = (BillingDueRow.look_ms, BillingDueRow.subscription)
        page = session.execute(
            select(*key)
            .where(BillingDueRow.look_ms <= now_ms, tuple_(*key) > after)
            .order_by(*key)
            .limit(PAGE_MAX)
        ).all()
        seen = [
            {
                "subscription": contract.subscription,
                **asdict(outlook_of(session, contract, now_ms=now_ms)),
            }
            for contract in _contracts(session, [subscription for _, subscription in page])
        ]
        if seen:
            session.execute(update(BillingDueRow), seen)
        if len(page) < PAGE_MAX:
            return None
        look_ms, subscription = page[-1]
        return look_ms or 0, subscription


def _contracts(session: Session, subscriptions: Sequence[str]) -> Iterator[Contract]:
    """The contracts of a page; where one cannot be told, all but that one."""
    try:
        yield from contracts_named(session, subscriptions)
    except WeirError:
        for subscription in subscriptions:
            try:
                yield from contracts_named(session, [subscription])
            except WeirError as error:
                _log.error("periods not closed", subscription=subscription, rule=str(error))


def _ask(sessions: sessionmaker[Session], *, now: datetime) -> Iterator[Close]:
    """Ask for one close of each product with something due, unless one that waits covers it."""
    product = ""
    while True:
        try:
            with sessions.begin() as session:
                found = _next_due(session, product) if _alone(session) else None
                if found is None:
                    return
                product, due_ms = found
                close = _close(session, product, due_ms, now=now)
                session.execute(
                    update(BillingDueRow)
                    .where(BillingDueRow.product == product, BillingDueRow.due_ms <= due_ms)
                    .values(due_ms=None)
                )
            if close is not None:
                yield close
        except WeirError as error:
            _log.error("periods not closed", product=product, rule=str(error))


def _next_due(session: Session, after: str) -> tuple[str, int] | None:
    """The next product with something due, and the latest end of it."""
    product = session.scalars(
        select(BillingDueRow.product)
        .join(ProductRow, ProductRow.id == BillingDueRow.product)
        .where(
            BillingDueRow.due_ms.is_not(None),
            BillingDueRow.product > after,
            ProductRow.topic_id.is_not(None),
        )
        .order_by(BillingDueRow.product)
        .limit(1)
    ).one_or_none()
    if product is None:
        return None
    latest = select(func.max(BillingDueRow.due_ms)).where(BillingDueRow.product == product)
    return product, session.scalars(latest).one() or 0


def _close(session: Session, product: str, due_ms: int, *, now: datetime) -> Close | None:
    """A close that bills what is due; None where one that reaches so far is still to be billed."""
    # As settling does, so that none is being billed while we look whether it is.
    session.get(ProductRow, product, with_for_update=True)
    later = PeriodCloseRow.product == product, PeriodCloseRow.end_ms >= due_ms
    waits = select(PeriodCloseRow.end_ms).where(
        *later, PeriodCloseRow.settled_at.is_(None), PeriodCloseRow.billed_through == ""
    )
    if session.scalars(waits.limit(1)).one_or_none() is not None:
        return None
    # One that was or is being billed at that very end has passed this by: prove the present.
    again = session.get(PeriodCloseRow, (product, due_ms)) is not None
    end_ms = outbox.to_ms(now) if again else due_ms
    return request_close(session, product, end_ms, by=AUTOMATIC, interim=False, now=now)
