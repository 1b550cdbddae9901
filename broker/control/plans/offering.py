"""How versions come on sale and leave it; nothing else in them ever changes."""

from datetime import datetime

from sqlalchemy.orm import Session

from broker.billing.price import parse_price
from broker.billing.publish import check_publishable
from broker.control import products, retention
from broker.control.plans.kept import SALEABLE, plan_row, version_of, version_row, write
from broker.domain.actor import Actor
from broker.domain.lifecycle import check_act
from broker.domain.plan import PlanVersion
from broker.store.control import ProductRow


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
    row = version_row(session, plan_id, number, by=by, if_revision=if_revision)
    version = version_of(row).publish(now=now)
    check_publishable(parse_price(version.terms.price))
    plan = plan_row(session, plan_id, by=by)
    # The product is locked so that its retention cannot be lowered while this version appears.
    session.get(ProductRow, plan.product, with_for_update=True, populate_existing=True)
    product = products.get(session, plan.product, by=by)
    check_act("product", product.id, "publishing a plan", product.state, SALEABLE)
    retention.check_period(product, version.terms.period, dispute_window_ms=dispute_window_ms)
    return write(row, version)


def withdraw_version(
    session: Session, plan_id: str, number: int, *, by: Actor, if_revision: int | None
) -> PlanVersion:
    """Take a version from sale; subscriptions that have it keep it.

    Raises:
        NotFoundError: no such version, or not `by`'s own.
        ConflictError: it is not published.
        PreconditionError: it changed since it was read.
    """
    row = version_row(session, plan_id, number, by=by, if_revision=if_revision)
    return write(row, version_of(row).withdraw())
