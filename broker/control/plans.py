"""Plans: what a product costs and which terms go with it, in numbered versions.

    draft ─publish_version▶ published ─withdraw_version▶ withdrawn

Owns versions and their immutability. Does not own how a price is read and rated (`billing`).
A plan is never changed: a new price is a new version, and a subscription stays with the one it has
until it is replanned.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broker.billing.price import parse_price
from broker.billing.publish import check_publishable
from broker.control import products, retention
from broker.control.rows import check_revision, columns_of, insert, put, value_of, values_of
from broker.domain import names
from broker.domain.actor import Actor
from broker.domain.lifecycle import check_act
from broker.domain.period import parse_period
from broker.domain.plan import VERSIONS_MAX, Approval, Plan, PlanVersion, Terms
from broker.errors import ConflictError, InvalidFieldError, NotFoundError
from broker.store.control import PlanRow, PlanVersionRow, ProductRow


def terms_of(
    *,
    price: Mapping[str, Any],
    period: Mapping[str, Any],
    delivery_retention_ms: int,
    approval: Approval,
    text: str,
) -> Terms:
    """Terms, read strictly.

    Raises:
        InvalidFieldError: names the field of price or period.
    """
    parse_price(price)
    return Terms(
        price=price,
        period=parse_period(period),
        delivery_retention_ms=delivery_retention_ms,
        approval=approval,
        text=text,
    )


def create(
    session: Session, plan_id: str, *, product_id: str, title: str, by: Actor, now: datetime
) -> Plan:
    """Give a plan its name; it says nothing before its first version.

    Raises:
        InvalidFieldError: the id is not `organisation/name`, or of another organisation than the
            product.
        NotFoundError: no such product, or not `by`'s own.
        ConflictError: the name was given before.
    """
    organisation, _ = names.split_id("id", plan_id)
    product = products.get(session, product_id, by=by)
    if product.organisation != organisation:
        raise InvalidFieldError(
            "id", f"must begin with {product.organisation}/, the product's organisation"
        )
    check_act("product", product_id, "adding a plan", product.state, _SALEABLE)
    plan = Plan(
        id=plan_id,
        organisation=organisation,
        product=product_id,
        title=title,
        created_at=now,
        created_by=by.name,
    )
    insert(session, PlanRow(**columns_of(plan)), kind="plan", name=plan_id)
    return plan


def describe(
    session: Session, plan_id: str, *, title: str, by: Actor, if_revision: int | None
) -> Plan:
    """Change its title.

    Raises:
        NotFoundError: no such plan, or not `by`'s own.
        PreconditionError: it changed since it was read.
    """
    row = _plan_row(session, plan_id, by=by, lock=True)
    check_revision("plan", plan_id, row.revision, if_revision)
    plan = value_of(Plan, row).describe(title=title)
    put(row, plan)
    return plan


def draft_version(
    session: Session, plan_id: str, terms: Terms, *, by: Actor, now: datetime
) -> PlanVersion:
    """Write the next version, as a draft.

    Raises:
        NotFoundError: no such plan, or not `by`'s own.
        ConflictError: the plan has 1,000 versions.
    """
    _plan_row(session, plan_id, by=by, lock=True)
    last = session.scalar(
        select(func.max(PlanVersionRow.number)).where(PlanVersionRow.plan == plan_id)
    )
    number = (last or 0) + 1
    if number > VERSIONS_MAX:
        raise ConflictError(f"plan {plan_id}: has {VERSIONS_MAX} versions; make another plan")
    version = PlanVersion(
        plan=plan_id,
        number=number,
        state="draft",
        terms=terms,
        created_at=now,
        created_by=by.name,
    )
    row = PlanVersionRow(plan=plan_id, number=number)
    _write(row, version)
    session.add(row)
    session.flush()
    return version


def replace_version(
    session: Session,
    plan_id: str,
    number: int,
    terms: Terms,
    *,
    by: Actor,
    if_revision: int | None,
) -> PlanVersion:
    """Write a draft anew.

    Raises:
        NotFoundError: no such version, or not `by`'s own.
        ConflictError: it is published: make a new version.
        PreconditionError: it changed since it was read.
    """
    row = _version_row(session, plan_id, number, by=by, if_revision=if_revision)
    return _write(row, _version(row).replace_terms(terms))


def publish_version(
    session: Session,
    plan_id: str,
    number: int,
    *,
    dispute_window_ms: int,
    by: Actor,
    now: datetime,
    if_revision: int | None,
) -> PlanVersion:
    """Offer a version; from here on nothing in it changes.

    Raises:
        NotFoundError: no such version, or not `by`'s own.
        ConflictError: it is no draft, or its product is retired.
        InvalidFieldError: its price uses what is not metered yet, or the product keeps its records
            for less than a period and the dispute window.
        PreconditionError: it changed since it was read.
    """
    row = _version_row(session, plan_id, number, by=by, if_revision=if_revision)
    version = _version(row).publish(now=now)
    check_publishable(parse_price(version.terms.price))
    plan = _plan_row(session, plan_id, by=by)
    # The product is locked so that its retention cannot be lowered while this version appears.
    session.get(ProductRow, plan.product, with_for_update=True, populate_existing=True)
    product = products.get(session, plan.product, by=by)
    check_act("product", product.id, "publishing a plan", product.state, _SALEABLE)
    retention.check_period(product, version.terms.period, dispute_window_ms=dispute_window_ms)
    return _write(row, version)


def withdraw_version(
    session: Session, plan_id: str, number: int, *, by: Actor, if_revision: int | None
) -> PlanVersion:
    """Take a version from sale; subscriptions that have it keep it.

    Raises:
        NotFoundError: no such version, or not `by`'s own.
        ConflictError: it is not published.
        PreconditionError: it changed since it was read.
    """
    row = _version_row(session, plan_id, number, by=by, if_revision=if_revision)
    return _write(row, _version(row).withdraw())


def get(session: Session, plan_id: str, *, by: Actor) -> Plan:
    """One plan of `by`'s own.

    Raises:
        NotFoundError: no such plan, or not `by`'s own.
    """
    return value_of(Plan, _plan_row(session, plan_id, by=by))


def get_version(session: Session, plan_id: str, number: int, *, by: Actor) -> PlanVersion:
    """One version of a plan of `by`'s own.

    Raises:
        NotFoundError: no such version, or not `by`'s own.
    """
    return _version(_version_row(session, plan_id, number, by=by, lock=False))


def get_pinned(session: Session, plan_id: str, number: int) -> PlanVersion:
    """The version that a subscription has; for those who have found that subscription.

    Raises:
        NotFoundError: no such version.
    """
    row = session.get(PlanVersionRow, (plan_id, number))
    if row is None:
        raise NotFoundError("plan", f"{plan_id} version {number}")
    return _version(row)


def latest_offered(session: Session, plan_id: str) -> PlanVersion | None:
    """The newest version on sale; None where there is none."""
    row = session.scalars(
        select(PlanVersionRow)
        .where(PlanVersionRow.plan == plan_id, PlanVersionRow.state == "published")
        .order_by(PlanVersionRow.number.desc())
        .limit(1)
    ).first()
    return None if row is None else _version(row)


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
    return [(value_of(Plan, plan), _version(row)) for plan, row in session.execute(query)]


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
    _plan_row(session, plan_id, by=by)
    query = (
        select(PlanVersionRow)
        .where(PlanVersionRow.plan == plan_id, PlanVersionRow.number > after)
        .order_by(PlanVersionRow.number)
        .limit(limit)
    )
    return [_version(row) for row in session.scalars(query)]


_SALEABLE = frozenset({"draft", "publishing", "published"})


def _plan_row(session: Session, plan_id: str, *, by: Actor, lock: bool = False) -> PlanRow:
    row = session.get(PlanRow, plan_id, with_for_update=lock)
    if row is None or not by.owns(row.organisation):
        raise NotFoundError("plan", plan_id)
    return row


def _version_row(
    session: Session,
    plan_id: str,
    number: int,
    *,
    by: Actor,
    if_revision: int | None = None,
    lock: bool = True,
) -> PlanVersionRow:
    _plan_row(session, plan_id, by=by)
    row = session.get(PlanVersionRow, (plan_id, number), with_for_update=lock)
    if row is None:
        raise NotFoundError("plan", f"{plan_id} version {number}")
    check_revision("plan", f"{plan_id} version {number}", row.revision, if_revision)
    return row


def _version(row: PlanVersionRow) -> PlanVersion:
    return PlanVersion(
        plan=row.plan,
        number=row.number,
        state=row.state,  # type: ignore[arg-type]  # only `_write` writes it
        terms=Terms(
            price=row.price,
            period=parse_period(row.period),
            delivery_retention_ms=row.delivery_retention_ms,
            approval=row.approval,  # type: ignore[arg-type]
            text=row.terms,
        ),
        created_at=row.created_at,
        created_by=row.created_by,
        published_at=row.published_at,
        revision=row.revision,
    )


def _write(row: PlanVersionRow, version: PlanVersion) -> PlanVersion:
    row.state = version.state
    row.price = dict(version.terms.price)
    row.period = version.terms.period.to_json()
    row.delivery_retention_ms = version.terms.delivery_retention_ms
    row.approval = version.terms.approval
    row.terms = version.terms.text
    row.created_at = version.created_at
    row.created_by = version.created_by
    row.published_at = version.published_at
    row.revision = version.revision
    return version
