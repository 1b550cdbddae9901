"""How a subscription begins: request, then approve and confirm, or reject."""

from datetime import datetime

from sqlalchemy.orm import Session

from broker.control import organisations, plans, products
from broker.control.rows import columns_of, insert, value_of
from broker.control.subscriptions.kept import row_of, save
from broker.control.subscriptions.offered import offered
from broker.domain import events, names
from broker.domain.actor import SYSTEM, Actor
from broker.domain.subscription import Subscription
from broker.errors import ConflictError, InvalidFieldError
from broker.store.control import ProductRow, SubscriptionRow


def request(
    session: Session,
    subscription_id: str,
    *,
    product_id: str,
    plan_id: str,
    plan_version: int | None,
    expires_at: datetime | None,
    reason: str,
    by: Actor,
    now: datetime,
) -> Subscription:
    """Ask for a product under a plan version, by default its newest on sale.

    A plan whose approval is automatic is approved at once.

    Raises:
        InvalidFieldError: the id is not `organisation/name`, the product is the buyer's own, or
            the term would be over already.
        NotFoundError: no such organisation of `by`'s own, no such product or plan on sale.
        ConflictError: the name was given before.
    """
    organisation, _ = names.split_id("id", subscription_id)
    organisations.get(session, organisation, by=by)
    product = products.get_offered(session, product_id, to_subscribe=True)
    if product.organisation == organisation:
        raise InvalidFieldError("product", f"{product_id} is the buyer's own; choose another")
    if expires_at is not None and expires_at <= now:
        raise InvalidFieldError("expires_at", f"must lie ahead, is {expires_at.isoformat()}")
    version = offered(session, product, plan_id, plan_version)
    subscription = Subscription(
        id=subscription_id,
        organisation=organisation,
        product=product_id,
        plan=plan_id,
        plan_version=version.number,
        delivery_topic=names.delivery_topic(subscription_id),
        state="requested",
        requested_at=now,
        requested_by=by.name,
        expires_at=expires_at,
    )
    row = SubscriptionRow(**columns_of(subscription))
    insert(session, row, kind="subscription", name=subscription_id)
    save(session, row, subscription, act="request", by=by, reason=reason, now=now)
    if version.terms.approval == "automatic":
        why = f"{version.name} is approved automatically"
        approved = subscription.approve()
        return save(session, row, approved, act="approve", by=SYSTEM, reason=why, now=now)
    return subscription


def approve(
    session: Session,
    subscription_id: str,
    *,
    by: Actor,
    reason: str,
    now: datetime,
    if_revision: int | None,
) -> Subscription:
    """Agree; it becomes `active` when its delivery topic is confirmed.

    Raises:
        NotFoundError: no such subscription, or one that `by` may not see.
        ForbiddenError: `by` is not the seller.
        ConflictError: it is not requested, or the product is no longer published.
        PreconditionError: it changed since it was read.
    """
    known = row_of(session, subscription_id, by=by, lock=False)
    # Locked in the order of `retirement`: the product, then its subscriptions.
    product = session.get_one(ProductRow, known.product, with_for_update={"read": True})
    row = row_of(session, subscription_id, by=by, seller_only=True, if_revision=if_revision)
    approved = value_of(Subscription, row).approve()
    if product.state != "published":
        raise ConflictError(f"subscription {subscription_id}: {row.product} is not published")
    return save(session, row, approved, act="approve", by=by, reason=reason, now=now)


def confirm_active(session: Session, subscription_id: str, *, now: datetime) -> Subscription:
    """Its delivery topic exists in every broker's metadata: deliver from here on.

    Raises:
        ConflictError: it does not wait for its topic.
    """
    row = row_of(session, subscription_id, by=SYSTEM)
    subscription = value_of(Subscription, row)
    terms = plans.get_pinned(session, row.plan, row.plan_version).terms
    active = subscription.activate(terms.period, now=now)
    event = events.SubscriptionActivated(
        subscription=active.id,
        product=active.product,
        delivery_topic=active.delivery_topic,
        plan=active.plan,
        plan_version=active.plan_version,
        period_anchor_ms=active.period_anchor_ms,
        period_length_ms=active.period_length_ms,
    )
    return save(
        session,
        row,
        active,
        act="activate",
        by=SYSTEM,
        reason=f"topic {active.delivery_topic} is confirmed",
        now=now,
        event=event,
    )


def reject(
    session: Session,
    subscription_id: str,
    *,
    by: Actor,
    reason: str,
    now: datetime,
    if_revision: int | None,
) -> Subscription:
    """Decline.

    Raises:
        NotFoundError, ForbiddenError, ConflictError, PreconditionError: as `approve`.
    """
    row = row_of(session, subscription_id, by=by, seller_only=True, if_revision=if_revision)
    rejected = value_of(Subscription, row).reject(now=now)
    return save(session, row, rejected, act="reject", by=by, reason=reason, now=now)
