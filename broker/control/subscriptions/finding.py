"""How subscriptions are found, by those who buy and those who sell."""

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broker.control.rows import value_of, values_of
from broker.control.subscriptions.kept import row_of
from broker.domain.actor import Actor
from broker.domain.subscription import Subscription, Transition
from broker.store.control import ProductRow, SubscriptionHistoryRow, SubscriptionRow


def get(session: Session, subscription_id: str, *, by: Actor) -> Subscription:
    """One subscription, for its buyer and its seller.

    Raises:
        NotFoundError: no such subscription, or one that `by` may not see.
    """
    return value_of(Subscription, row_of(session, subscription_id, by=by, lock=False))


def history(
    session: Session, subscription_id: str, *, by: Actor, after: int, limit: int
) -> list[Transition]:
    """Its transitions, oldest first, from the first past number `after`.

    Raises:
        NotFoundError: no such subscription, or one that `by` may not see.
    """
    row_of(session, subscription_id, by=by, lock=False)
    query = (
        select(SubscriptionHistoryRow)
        .where(
            SubscriptionHistoryRow.subscription == subscription_id,
            SubscriptionHistoryRow.number > after,
        )
        .order_by(SubscriptionHistoryRow.number)
        .limit(limit)
    )
    return values_of(Transition, session.scalars(query))


def search(
    session: Session, *, product_id: str | None, by: Actor, after: str, limit: int
) -> list[Subscription]:
    """Those that `by` buys or sells, by id, from the first past `after`."""
    query = select(SubscriptionRow).where(SubscriptionRow.id > after)
    if by.organisation is not None:
        query = query.join(ProductRow, ProductRow.id == SubscriptionRow.product).where(
            or_(
                SubscriptionRow.organisation == by.organisation,
                ProductRow.organisation == by.organisation,
            )
        )
    if product_id is not None:
        query = query.where(SubscriptionRow.product == product_id)
    rows = session.scalars(query.order_by(SubscriptionRow.id).limit(limit))
    return values_of(Subscription, rows)
