"""Outlook: what of one subscription is due, and when to look at it again.

──billed──┃──ended──┃──ended──┃──goes on──┃
                              due         look
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from broker.billing.activity import next_activity_ms, unbilled_ms
from broker.billing.contract import Contract
from broker.billing.statement import stretch_of


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """`due_ms`: the latest end of a period that has passed and is not finally billed.

    `look_ms`: the end of the next one. None: there is no such period. Usage that arrives for
    `[known_first_ms, known_end_ms)` changes neither.
    """

    due_ms: int | None = None
    look_ms: int | None = None
    known_first_ms: int = 0
    known_end_ms: int = 0


def outlook_of(session: Session, contract: Contract, *, now_ms: int) -> Outlook:
    """The outlook at `now_ms`, from what history, invoices and the ledger tell."""
    due_ms = None
    known_first_ms = known_end_ms = 0
    for term in contract.terms():
        at_ms = unbilled_ms(session, contract, term)
        while at_ms is not None:
            period = contract.period_at(term, at_ms)
            stretch = stretch_of(contract, term, period, period.end_ms)
            if stretch is not None:
                end_ms = stretch.through_ms
                # Between the two may lie a pause, which usage would make a period of its own.
                if stretch.first_ms > known_end_ms:
                    known_first_ms = stretch.first_ms
                known_end_ms = end_ms
                if end_ms > now_ms:
                    return Outlook(
                        due_ms=due_ms,
                        look_ms=end_ms,
                        known_first_ms=known_first_ms,
                        known_end_ms=known_end_ms,
                    )
                due_ms = end_ms
            at_ms = next_activity_ms(session, contract, term, period.end_ms)
    return Outlook(due_ms=due_ms, known_first_ms=known_first_ms, known_end_ms=known_end_ms)
