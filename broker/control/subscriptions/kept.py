"""How a subscription is kept: its row, who may see it, and a line of history a change."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.control import outbox
from broker.control.rows import check_revision, put
from broker.domain import events
from broker.domain.actor import Actor
from broker.domain.subscription import Act, Subscription
from broker.errors import ForbiddenError, NotFoundError
from broker.store.control import ProductRow, SubscriptionHistoryRow, SubscriptionRow

_APART = timedelta(milliseconds=1)


def row_of(
    session: Session,
    subscription_id: str,
    *,
    by: Actor,
    seller_only: bool = False,
    if_revision: int | None = None,
    lock: bool = True,
) -> SubscriptionRow:
    """The row of a subscription that `by` buys or sells, locked for a change.

    Raises:
        NotFoundError: no such subscription, or one that `by` may not see.
        ForbiddenError: this is the seller's to decide, and `by` is the buyer.
        PreconditionError: it changed since it was read.
    """
    row = session.get(SubscriptionRow, subscription_id, with_for_update=lock)
    if row is None:
        raise NotFoundError("subscription", subscription_id)
    sells = by.owns(session.get_one(ProductRow, row.product).organisation)
    if not sells and not by.owns(row.organisation):
        raise NotFoundError("subscription", subscription_id)
    if seller_only and not sells:
        raise ForbiddenError(f"subscription {subscription_id}: this is its seller's to decide")
    check_revision("subscription", row.id, row.revision, if_revision)
    return row


def save(
    session: Session,
    row: SubscriptionRow,
    subscription: Subscription,
    *,
    act: Act,
    by: Actor,
    reason: str,
    now: datetime,
    event: events.Event | None = None,
) -> Subscription:
    """Write the state, its event if routers must know, and its line of history.

    A change stands after the one before it, though the caller's `now` was taken before it waited
    for the row, or by a clock that is behind: bills know a term by the time at which it was pinned.
    """
    last = session.scalars(
        select(SubscriptionHistoryRow)
        .where(SubscriptionHistoryRow.subscription == subscription.id)
        .order_by(SubscriptionHistoryRow.number.desc())
        .limit(1)
    ).first()
    at = now if last is None else max(now, last.at + _APART)
    put(row, subscription)
    seq = None if event is None else outbox.append(session, event, now=at)
    session.add(
        SubscriptionHistoryRow(
            subscription=subscription.id,
            number=1 if last is None else last.number + 1,
            transition=act,
            state=subscription.state,
            plan=subscription.plan,
            plan_version=subscription.plan_version,
            at=at,
            by=by.name,
            reason=reason,
            seq=seq,
        )
    )
    session.flush()
    return subscription
