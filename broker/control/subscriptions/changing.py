"""How a subscription changes: suspend, resume, replan."""

from datetime import datetime

from sqlalchemy.orm import Session

from broker.control import plans
from broker.control.rows import value_of
from broker.control.subscriptions.kept import row_of, save
from broker.control.subscriptions.offered import check_exchangeable, offered
from broker.domain import events
from broker.domain.actor import Actor
from broker.domain.product import Product
from broker.domain.subscription import Subscription
from broker.errors import ConflictError, ForbiddenError
from broker.store.control import ProductRow


def suspend(
    session: Session,
    subscription_id: str,
    *,
    by: Actor,
    reason: str,
    now: datetime,
    if_revision: int | None,
) -> Subscription:
    """Stop delivery until resumed; records in between are not delivered later.

    Raises:
        NotFoundError, ForbiddenError, ConflictError, PreconditionError: as `approve`.
    """
    row = row_of(session, subscription_id, by=by, seller_only=True, if_revision=if_revision)
    suspended = value_of(Subscription, row).suspend()
    event = events.SubscriptionSuspended(subscription_id, row.product)
    return save(session, row, suspended, act="suspend", by=by, reason=reason, now=now, event=event)


def resume(
    session: Session,
    subscription_id: str,
    *,
    by: Actor,
    reason: str,
    now: datetime,
    if_revision: int | None,
) -> Subscription:
    """Deliver again from here on.

    Raises:
        NotFoundError, ForbiddenError, ConflictError, PreconditionError: as `approve`.
    """
    row = row_of(session, subscription_id, by=by, seller_only=True, if_revision=if_revision)
    resumed = value_of(Subscription, row).resume()
    event = events.SubscriptionResumed(subscription_id, row.product)
    return save(session, row, resumed, act="resume", by=by, reason=reason, now=now, event=event)


def replan(
    session: Session,
    subscription_id: str,
    *,
    plan_id: str,
    plan_version: int | None,
    by: Actor,
    reason: str,
    now: datetime,
    if_revision: int | None,
) -> Subscription:
    """Pin another plan version on sale. A price never changes unless the buyer asks.

    Raises:
        NotFoundError: no such subscription that `by` may see, or no such plan on sale.
        ForbiddenError: `by` is neither the buyer nor the operator.
        ConflictError: it is not active or suspended, the version's approval is manual and `by` is
            not the operator, or period and currency differ from the present ones.
        PreconditionError: it changed since it was read.
    """
    row = row_of(session, subscription_id, by=by, if_revision=if_revision)
    if not by.owns(row.organisation):
        raise ForbiddenError(f"subscription {subscription_id}: only its buyer may change its plan")
    product = value_of(Product, session.get_one(ProductRow, row.product))
    version = offered(session, product, plan_id, plan_version)
    if by.organisation is not None and version.terms.approval != "automatic":
        raise ConflictError(
            f"subscription {subscription_id}: {version.name} needs the seller's approval; request "
            "a new subscription under it, or ask the operator"
        )
    present = plans.get_pinned(session, row.plan, row.plan_version)
    check_exchangeable(subscription_id, present, version)
    replanned = value_of(Subscription, row).replan(plan_id, version.number)
    event = events.SubscriptionReplanned(subscription_id, row.product, plan_id, version.number)
    return save(session, row, replanned, act="replan", by=by, reason=reason, now=now, event=event)
