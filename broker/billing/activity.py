"""Activity: where a subscription has something to bill."""

from sqlalchemy.orm import Session

from broker.billing.contract import Contract, Term
from broker.billing.metered import first_usage_ms


def next_activity_ms(session: Session, contract: Contract, term: Term, from_ms: int) -> int | None:
    """The first moment of the term from `from_ms` on that has activity or usage."""
    moments = [
        max(from_ms, span.first_ms)
        for span in contract.active
        if span.end_ms is None or span.end_ms > from_ms
    ]
    used_ms = first_usage_ms(session, contract.subscription, from_ms)
    if used_ms is not None:
        moments.append(used_ms)
    first = min(moments, default=None)
    if first is None or (term.end_ms is not None and first >= term.end_ms):
        return None
    return first
