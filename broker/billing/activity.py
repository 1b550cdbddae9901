"""Activity: where a subscription has something to bill, and what was billed last."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.billing.contract import Contract, Term
from broker.billing.metered import first_usage_ms
from broker.store.billing import InvoiceRow


def next_activity_ms(session: Session, contract: Contract, term: Term, from_ms: int) -> int | None:
    """The first moment of the term from `from_ms` on that has activity or usage."""
    moments = [
        max(from_ms, span.first_ms)
        for span in contract.active
        if span.end_ms is None or span.end_ms > from_ms
    ]
    if from_ms not in moments:  # otherwise no usage is earlier
        used_ms = first_usage_ms(session, contract.subscription, from_ms)
        if used_ms is not None:
            moments.append(used_ms)
    first = min(moments, default=None)
    if first is None or (term.end_ms is not None and first >= term.end_ms):
        return None
    return first


def last_invoice(session: Session, contract: Contract, term: Term) -> InvoiceRow | None:
    """The latest of a term; None where nothing of it was billed yet."""
    return session.scalars(
        select(InvoiceRow)
        .where(
            InvoiceRow.subscription == contract.subscription,
            InvoiceRow.pinned_at_ms == term.pin.at_ms,
        )
        .order_by(
            InvoiceRow.period_first_ms.desc(), InvoiceRow.through_ms.desc(), InvoiceRow.final.desc()
        )
        .limit(1)
    ).one_or_none()


def unbilled_ms(session: Session, contract: Contract, term: Term) -> int | None:
    """A moment of the first period that is not finally billed; None where all of it is."""
    last = last_invoice(session, contract, term)
    if last is None:
        return next_activity_ms(session, contract, term, term.first_ms)
    if last.final:
        return next_activity_ms(session, contract, term, last.period_end_ms)
    return last.period_first_ms
