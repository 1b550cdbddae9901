"""How plans are written: a name, then drafts of versions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broker.billing.price import parse_price
from broker.control import products
from broker.control.plans.kept import SALEABLE, plan_row, version_of, version_row, write
from broker.control.rows import check_revision, columns_of, insert, put, value_of
from broker.domain import names
from broker.domain.actor import Actor
from broker.domain.lifecycle import check_act
from broker.domain.period import parse_period
from broker.domain.plan import VERSIONS_MAX, Approval, Plan, PlanVersion, Terms
from broker.errors import ConflictError, InvalidFieldError
from broker.store.control import PlanRow, PlanVersionRow


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
    check_act("product", product_id, "adding a plan", product.state, SALEABLE)
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
    row = plan_row(session, plan_id, by=by, lock=True)
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
    plan_row(session, plan_id, by=by, lock=True)
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
    write(row, version)
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
    row = version_row(session, plan_id, number, by=by, if_revision=if_revision)
    return write(row, version_of(row).replace_terms(terms))
