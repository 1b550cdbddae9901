"""Subscriptions: one organisation's right to one product under one plan version.

    requested ─approve▶ activating ─confirm_active▶ active ─suspend▶ suspended ─resume▶ active
    requested ─reject▶ rejected
    activating, active or suspended ─revoke▶ revoked, ─expire▶ expired

Owns the state and its history. Does not own price and terms (`plans`), topics and ACLs
(`provision`) or delivery (`flow`). Routers hear of a change through `weir.control` alone, from the
moment the delivery topic is confirmed. The seller approves, rejects, suspends and resumes; either
side may revoke; where a cutover lies is `cutovers`.
"""

from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from broker.control import organisations, outbox, plans, products
from broker.control.rows import check_revision, columns_of, insert, put, value_of, values_of
from broker.domain import events, names
from broker.domain.actor import SYSTEM, Actor
from broker.domain.plan import PlanVersion
from broker.domain.product import Product
from broker.domain.subscription import KNOWN_TO_ROUTERS, Act, Subscription, Transition
from broker.errors import ConflictError, ForbiddenError, InvalidFieldError, NotFoundError
from broker.store.control import (
    PlanRow,
    ProductRow,
    SubscriptionHistoryRow,
    SubscriptionRow,
)

_DUE_MAX = 100


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
    product = products.get_offered(session, product_id)
    if product.organisation == organisation:
        raise InvalidFieldError("product", f"{product_id} is the buyer's own; choose another")
    if expires_at is not None and expires_at <= now:
        raise InvalidFieldError("expires_at", f"must lie ahead, is {expires_at.isoformat()}")
    version = _offered(session, product, plan_id, plan_version)
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
    _save(session, row, subscription, act="request", by=by, reason=reason, now=now)
    if version.terms.approval == "automatic":
        why = f"{version.name} is approved automatically"
        approved = subscription.approve()
        return _save(session, row, approved, act="approve", by=SYSTEM, reason=why, now=now)
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
    row = _row(session, subscription_id, by=by, seller_only=True, if_revision=if_revision)
    approved = value_of(Subscription, row).approve()
    if session.get_one(ProductRow, row.product).state != "published":
        raise ConflictError(f"subscription {subscription_id}: {row.product} is not published")
    return _save(session, row, approved, act="approve", by=by, reason=reason, now=now)


def confirm_active(session: Session, subscription_id: str, *, now: datetime) -> Subscription:
    """Its delivery topic exists in every broker's metadata: deliver from here on.

    Raises:
        ConflictError: it does not wait for its topic.
    """
    row = _row(session, subscription_id, by=SYSTEM)
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
    return _save(
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
    row = _row(session, subscription_id, by=by, seller_only=True, if_revision=if_revision)
    rejected = value_of(Subscription, row).reject(now=now)
    return _save(session, row, rejected, act="reject", by=by, reason=reason, now=now)


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
    row = _row(session, subscription_id, by=by, seller_only=True, if_revision=if_revision)
    suspended = value_of(Subscription, row).suspend()
    event = events.SubscriptionSuspended(subscription_id, row.product)
    return _save(session, row, suspended, act="suspend", by=by, reason=reason, now=now, event=event)


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
    row = _row(session, subscription_id, by=by, seller_only=True, if_revision=if_revision)
    resumed = value_of(Subscription, row).resume()
    event = events.SubscriptionResumed(subscription_id, row.product)
    return _save(session, row, resumed, act="resume", by=by, reason=reason, now=now, event=event)


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
    row = _row(session, subscription_id, by=by, if_revision=if_revision)
    if not by.owns(row.organisation):
        raise ForbiddenError(f"subscription {subscription_id}: only its buyer may change its plan")
    product = value_of(Product, session.get_one(ProductRow, row.product))
    version = _offered(session, product, plan_id, plan_version)
    if by.organisation is not None and version.terms.approval != "automatic":
        raise ConflictError(
            f"subscription {subscription_id}: {version.name} needs the seller's approval; request "
            "a new subscription under it, or ask the operator"
        )
    present = plans.get_pinned(session, row.plan, row.plan_version)
    _check_exchangeable(subscription_id, present, version)
    replanned = value_of(Subscription, row).replan(plan_id, version.number)
    event = events.SubscriptionReplanned(subscription_id, row.product, plan_id, version.number)
    return _save(session, row, replanned, act="replan", by=by, reason=reason, now=now, event=event)


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
    row = _row(session, subscription_id, by=by, if_revision=if_revision)
    revoked = value_of(Subscription, row).revoke(now=now)
    event = events.SubscriptionRevoked(subscription_id, row.product)
    return _save(
        session,
        row,
        revoked,
        act="revoke",
        by=by,
        reason=reason,
        now=now,
        event=event if row.state in KNOWN_TO_ROUTERS else None,
    )


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
    row = _row(session, subscription_id, by=by, if_revision=if_revision)
    if by.organisation is not None:
        raise ForbiddenError(f"subscription {subscription_id}: only the operator may; revoke it")
    expired = value_of(Subscription, row).expire(now=now)
    event = events.SubscriptionExpired(subscription_id, row.product)
    return _save(
        session,
        row,
        expired,
        act="expire",
        by=by,
        reason=reason,
        now=now,
        event=event if row.state in KNOWN_TO_ROUTERS else None,
    )


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


def get(session: Session, subscription_id: str, *, by: Actor) -> Subscription:
    """One subscription, for its buyer and its seller.

    Raises:
        NotFoundError: no such subscription, or one that `by` may not see.
    """
    return value_of(Subscription, _row(session, subscription_id, by=by, lock=False))


def history(
    session: Session, subscription_id: str, *, by: Actor, after: int, limit: int
) -> list[Transition]:
    """Its transitions, oldest first, from the first past number `after`.

    Raises:
        NotFoundError: no such subscription, or one that `by` may not see.
    """
    _row(session, subscription_id, by=by, lock=False)
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


def _row(
    session: Session,
    subscription_id: str,
    *,
    by: Actor,
    seller_only: bool = False,
    if_revision: int | None = None,
    lock: bool = True,
) -> SubscriptionRow:
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


def _offered(
    session: Session, product: Product, plan_id: str, plan_version: int | None
) -> PlanVersion:
    plan = session.get(PlanRow, plan_id)
    if plan is None or plan.product != product.id:
        raise NotFoundError("plan", plan_id)
    if plan_version is None:
        version = plans.latest_offered(session, plan_id)
    else:
        version = plans.get_pinned(session, plan_id, plan_version)
    if version is None or version.state != "published":
        raise NotFoundError("plan", plan_id)
    return version


def _check_exchangeable(subscription_id: str, present: PlanVersion, wanted: PlanVersion) -> None:
    if present.terms.period != wanted.terms.period:
        raise ConflictError(
            f"subscription {subscription_id}: {wanted.name} has other billing periods than "
            f"{present.name}; revoke this subscription and request a new one"
        )
    if present.terms.price["currency"] != wanted.terms.price["currency"]:
        raise ConflictError(
            f"subscription {subscription_id}: {wanted.name} is in another currency than "
            f"{present.name}; revoke this subscription and request a new one"
        )


def _save(
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
    """Write the state, its event if routers must know, and its line of history."""
    put(row, subscription)
    seq = None if event is None else outbox.append(session, event, now=now)
    session.flush()
    last = session.scalar(
        select(func.max(SubscriptionHistoryRow.number)).where(
            SubscriptionHistoryRow.subscription == subscription.id
        )
    )
    session.add(
        SubscriptionHistoryRow(
            subscription=subscription.id,
            number=(last or 0) + 1,
            transition=act,
            state=subscription.state,
            plan=subscription.plan,
            plan_version=subscription.plan_version,
            at=now,
            by=by.name,
            reason=reason,
            seq=seq,
        )
    )
    session.flush()
    return subscription
