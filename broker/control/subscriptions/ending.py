"""How a subscription ends: revoke, or expire when its term is over."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.control.rows import value_of
from broker.control.subscriptions.kept import row_of, save
from broker.domain import events
from broker.domain.actor import SYSTEM, Actor
from broker.domain.subscription import KNOWN_TO_ROUTERS, Subscription
from broker.errors import ForbiddenError
from broker.store.control import SubscriptionRow

_DUE_MAX = 100


def revoke(
    session: Session,
    subscription_id: str,
    *,
    by: Actor,
    reason: str,
    now: datetime,
    if_revision: int | None,
) -> Subscription:
    """End the right for good; seller, buyer or operator may.

    It does not wait for the routers: delivery ends at the cutover offset, which `cutovers` gives
    for each partition once a segment has proved it.

    Raises:
        NotFoundError: no such subscription, or one that `by` may not see.
        ConflictError: it has not been approved, or has ended.
        PreconditionError: it changed since it was read.
    """
    row = row_of(session, subscription_id, by=by, if_revision=if_revision)
    event = _told(row, events.SubscriptionRevoked)
    revoked = value_of(Subscription, row).revoke(now=now)
    return save(session, row, revoked, act="revoke", by=by, reason=reason, now=now, event=event)


def expire(
    session: Session,
    subscription_id: str,
    *,
    by: Actor,
    reason: str,
    now: datetime,
    if_revision: int | None,
) -> Subscription:
    """End it because its term is over; the operator may say so early.

    Raises:
        NotFoundError: no such subscription, or one that `by` may not see.
        ForbiddenError: `by` is not the operator.
        ConflictError: it has not been approved, or has ended.
        PreconditionError: it changed since it was read.
    """
    row = row_of(session, subscription_id, by=by, if_revision=if_revision)
    if by.organisation is not None:
        raise ForbiddenError(f"subscription {subscription_id}: only the operator may; revoke it")
    event = _told(row, events.SubscriptionExpired)
    expired = value_of(Subscription, row).expire(now=now)
    return save(session, row, expired, act="expire", by=by, reason=reason, now=now, event=event)


def expire_due(session: Session, *, now: datetime) -> list[Subscription]:
    """Expire what has reached the end of its term, at most 100 at a time."""
    due = session.scalars(
        select(SubscriptionRow.id)
        .where(
            SubscriptionRow.expires_at <= now,
            SubscriptionRow.state.in_(("activating", "active", "suspended")),
        )
        .order_by(SubscriptionRow.expires_at)
        .limit(_DUE_MAX)
    ).all()
    return [
        expire(session, one, by=SYSTEM, reason="its term is over", now=now, if_revision=None)
        for one in due
    ]


def _told(row: SubscriptionRow, end: Callable[[str, str], events.Event]) -> events.Event | None:
    """What routers hear of its end; nothing, if they never heard of it."""
    return end(row.id, row.product) if row.state in KNOWN_TO_ROUTERS else None
