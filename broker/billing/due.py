"""Due: periods that have ended are closed by themselves.

Such a close bills the periods that end with it or before, and no other: periods of a fixed length
end at moments of their own, and a neighbour's end is no reason for an interim invoice.
"""

from datetime import datetime

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from broker.billing.activity import next_activity_ms
from broker.billing.close import Close, request_close
from broker.billing.contracts import contracts_of
from broker.control import outbox
from broker.errors import WeirError
from broker.store.billing import PeriodCloseRow
from broker.store.control import ProductRow

AUTOMATIC = "weir"  # who asks

_log = structlog.get_logger()


def request_due(sessions: sessionmaker[Session], *, now: datetime) -> list[Close]:
    """Ask for a close of each product that has a period which ended; each in its transaction.

    Several processes may call this at once. A product whose periods cannot be told is logged and
    does not hold up the others.

    Returns:
        The closes asked for.
    """
    with sessions() as session:
        published = select(ProductRow.id).where(ProductRow.topic_id.is_not(None))
        products = session.scalars(published.order_by(ProductRow.id)).all()
    asked = []
    for product in products:
        try:
            with sessions.begin() as session:
                end_ms = due_ms(session, product, now_ms=outbox.to_ms(now))
                if end_ms is not None:
                    close = request_close(
                        session, product, end_ms, by=AUTOMATIC, interim=False, now=now
                    )
                    asked.append(close)
        except WeirError as error:
            _log.error("periods not closed", product=product, rule=str(error))
    return asked


def due_ms(session: Session, product: str, *, now_ms: int) -> int | None:
    """The latest end of a period that has ended and that no close has reached; None for none."""
    covered = select(func.max(PeriodCloseRow.end_ms)).where(PeriodCloseRow.product == product)
    covered_ms = session.scalars(covered).one() or 0
    latest_ms = covered_ms
    for contract in contracts_of(session, product):
        for term in contract.terms():
            at_ms = next_activity_ms(session, contract, term, max(term.first_ms, covered_ms))
            while at_ms is not None and at_ms < now_ms:
                end_ms = contract.period_at(term, at_ms).end_ms
                if end_ms > now_ms:
                    break
                latest_ms = max(latest_ms, end_ms)
                at_ms = next_activity_ms(session, contract, term, end_ms)
    return latest_ms if latest_ms > covered_ms else None
