"""How plans are found: one's own, those on sale, and the one that a subscription has."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.control.plans.kept import plan_row, version_of, version_row
from broker.control.rows import value_of, values_of
from broker.domain.actor import Actor
from broker.domain.plan import Plan, PlanVersion
from broker.errors import NotFoundError
from broker.store.control import PlanRow, PlanVersionRow


def get(session: Session, plan_id: str, *, by: Actor) -> Plan:
    """One plan of `by`'s own.

    Raises:
        NotFoundError: no such plan, or not `by`'s own.
    """
    return value_of(Plan, plan_row(session, plan_id, by=by))


def get_version(session: Session, plan_id: str, number: int, *, by: Actor) -> PlanVersion:
    """One version of a plan of `by`'s own.

    Raises:
        NotFoundError: no such version, or not `by`'s own.
    """
    return version_of(version_row(session, plan_id, number, by=by, lock=False))


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

    Raises:
        NotFoundError: no such plan, or not `by`'s own.
    """
    plan_row(session, plan_id, by=by)
    query = (
        select(PlanVersionRow)
        .where(PlanVersionRow.plan == plan_id, PlanVersionRow.number > after)
        .order_by(PlanVersionRow.number)
        .limit(limit)
    )
    return [version_of(row) for row in session.scalars(query)]
