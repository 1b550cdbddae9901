"""Retention: a product keeps its records until what was billed for them can no longer be disputed.

retention of the product >= longest period of its published plans + dispute window
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.domain.period import DAY_MS, Period, parse_period
from broker.domain.product import Product
from broker.errors import InvalidFieldError
from broker.store.control import PlanRow, PlanVersionRow

DISPUTE_WINDOW_DEFAULT_MS = 30 * DAY_MS


def check_period(product: Product, period: Period, *, dispute_window_ms: int) -> None:
    """Do nothing, if the product keeps its records long enough for this period.

    Raises:
        InvalidFieldError: it does not.
    """
    needed_ms = period.longest_ms + dispute_window_ms
    if product.retention_ms < needed_ms:
        raise InvalidFieldError(
            "period",
            f"a period of up to {period.longest_ms} ms and the dispute window need the product's "
            f"retention_ms to be at least {needed_ms}, it is {product.retention_ms}; raise it or "
            "choose a shorter period",
        )


def check_product(
    session: Session, product_id: str, retention_ms: int, *, dispute_window_ms: int
) -> None:
    """Do nothing, if this retention is long enough for every published plan of the product.

    Raises:
        InvalidFieldError: it is not.
    """
    rows = session.execute(
        select(PlanVersionRow.period)
        .join(PlanRow, PlanRow.id == PlanVersionRow.plan)
        .where(PlanRow.product == product_id, PlanVersionRow.state != "draft")
    )
    longest_ms = max((parse_period(period).longest_ms for (period,) in rows), default=0)
    needed_ms = longest_ms + dispute_window_ms if longest_ms else 0
    if retention_ms < needed_ms:
        raise InvalidFieldError(
            "retention_ms",
            f"must be at least {needed_ms} for its published plans (longest period {longest_ms} ms "
            f"and the dispute window), is {retention_ms}; raise it",
        )
