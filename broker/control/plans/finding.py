"""How plans are found: one's own, those on sale, and those that one's subscriptions have had."""

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from broker.control.plans.kept import version_of
from broker.control.rows import value_of, values_of
from broker.domain.actor import Actor
from broker.domain.plan import Plan, PlanVersion
from broker.errors import NotFoundError
from broker.store.control import (
    PlanRow,
    PlanVersionRow,
    SubscriptionHistoryRow,
    SubscriptionRow,
)


def get(session: Session, plan_id: str, *, by: Actor) -> Plan:
    """One plan of `by`'s own, or that a subscription of its own has had.

    Raises:
        NotFoundError: none that `by` may see.
    """
    row = session.get(PlanRow, plan_id)
    if row is None or not (by.owns(row.organisation) or _pinned(session, plan_id, by)):
        raise NotFoundError("plan", plan_id)
    return value_of(Plan, row)


def get_version(session: Session, plan_id: str, number: int, *, by: Actor) -> PlanVersion:
    """One version of a plan; see `versions`.

    Raises:
        NotFoundError: none that `by` may see.
    """
    plan = get(session, plan_id, by=by)
    row = session.scalars(
        select(PlanVersionRow).where(
            PlanVersionRow.plan == plan_id,
            PlanVersionRow.number == number,
            _visible(session, plan, by),
        )
    ).one_or_none()
    if row is None:
        raise NotFoundError("plan", f"{plan_id} version {number}")
    return version_of(row)


def get_pinned(session: Session, plan_id: str, number: int) -> PlanVersion:
    """The version that a subscription has; for those who have found that subscription.

    Raises:
        NotFoundError: no such version.
    """
    row = session.get(PlanVersionRow, (plan_id, number))
    if row is None:
        raise NotFoundError("plan", f"{plan_id} version {number}")
    return version_of(row)


def latest_offered(session: Session, plan_id: str) -> PlanVersion | None:
    """The newest version on sale; None where there is none."""
    row = session.scalars(
        select(PlanVersionRow)
        .where(PlanVersionRow.plan == plan_id, PlanVersionRow.state == "published")
        .order_by(PlanVersionRow.number.desc())
        .limit(1)
    ).first()
    return None if row is None else version_of(row)


def offered_for(session: Session, product_id: str, *, limit: int) -> list[tuple[Plan, PlanVersion]]:
    """Each plan of a product that is on sale, with its newest published version, by id."""
    query = (
        select(PlanRow, PlanVersionRow)
        .join(PlanVersionRow, PlanVersionRow.plan == PlanRow.id)
        .where(PlanRow.product == product_id, PlanVersionRow.state == "published")
        .order_by(PlanRow.id, PlanVersionRow.number.desc())
        .distinct(PlanRow.id)
        .limit(limit)
    )
    return [(value_of(Plan, plan), version_of(row)) for plan, row in session.execute(query)]


def search(
    session: Session, *, product_id: str | None, by: Actor, after: str, limit: int
) -> list[Plan]:
    """Plans of `by`'s own, by id, from the first past `after`; of one product if it is named."""
    query = select(PlanRow).where(PlanRow.id > after)
    if by.organisation is not None:
        query = query.where(PlanRow.organisation == by.organisation)
    if product_id is not None:
        query = query.where(PlanRow.product == product_id)
    return values_of(Plan, session.scalars(query.order_by(PlanRow.id).limit(limit)))


def versions(
    session: Session, plan_id: str, *, by: Actor, after: int, limit: int
) -> list[PlanVersion]:
    """Versions of a plan, oldest first, from the first past `after`.

    To its seller all; to a buyer those that a subscription of its own has ever had, and those on
    sale, if it has had one at all: with these it can recount its bills.

    Raises:
        NotFoundError: no such plan that `by` may see.
    """
    plan = get(session, plan_id, by=by)
    query = (
        select(PlanVersionRow)
        .where(
            PlanVersionRow.plan == plan_id,
            PlanVersionRow.number > after,
            _visible(session, plan, by),
        )
        .order_by(PlanVersionRow.number)
        .limit(limit)
    )
    return [version_of(row) for row in session.scalars(query)]


def _visible(session: Session, plan: Plan, by: Actor) -> ColumnElement[bool]:
    """Which versions of a plan that it may see `by` may see."""
    if by.owns(plan.organisation):
        return PlanVersionRow.plan == plan.id
    pinned = _pinned(session, plan.id, by)
    return or_(PlanVersionRow.state == "published", PlanVersionRow.number.in_(pinned))


def _pinned(session: Session, plan_id: str, by: Actor) -> set[int]:
    """The versions of a plan that a subscription of `by`'s own organisation has or has had."""
    of_history = (
        select(SubscriptionHistoryRow.plan_version)
        .join(SubscriptionRow, SubscriptionRow.id == SubscriptionHistoryRow.subscription)
        .where(
            SubscriptionRow.organisation == by.organisation, SubscriptionHistoryRow.plan == plan_id
        )
    )
    present = select(SubscriptionRow.plan_version).where(
        SubscriptionRow.organisation == by.organisation, SubscriptionRow.plan == plan_id
    )
    return set(session.scalars(of_history.union(present)))
