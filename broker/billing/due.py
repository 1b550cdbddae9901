"""Due: periods that have ended are closed by themselves.

Such a close bills the periods that end with it or before, and no other: periods of a fixed length
end at moments of their own, and a neighbour's end is no reason for an interim invoice.
"""

from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from broker.billing.activity import next_activity_ms, unbilled_ms
from broker.billing.close import Close, request_close
from broker.billing.contracts import contracts_of
from broker.billing.statement import stretch_of
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
    """The latest end of a period that has ended and is not finally billed; None for none.

    None too while a close that reaches so far waits for its proof.
    """
    latest_ms = 0
    for contract in contracts_of(session, product):
        for term in contract.terms():
            at_ms = unbilled_ms(session, contract, term)
            while at_ms is not None and at_ms < now_ms:
                period = contract.period_at(term, at_ms)
                stretch = stretch_of(contract, term, period, now_ms)
                if stretch is not None and stretch.final:
                    latest_ms = max(latest_ms, stretch.through_ms)
                at_ms = next_activity_ms(session, contract, term, period.end_ms)
    waits = select(PeriodCloseRow.end_ms).where(
        PeriodCloseRow.product == product,
        PeriodCloseRow.end_ms >= latest_ms,
        PeriodCloseRow.settled_at.is_(None),
    )
    if not latest_ms or session.scalars(waits.limit(1)).one_or_none() is not None:
        return None
    return latest_ms
