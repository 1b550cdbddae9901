"""Payouts: what the exchange owes a seller, read from the journal alone."""

from dataclasses import dataclass

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from broker.store.billing import JournalEntryRow, JournalPostingRow


@dataclass(frozen=True, kw_only=True)
class Payout:
    """What one seller is owed in one currency, in minor units, from so many invoices."""

    seller: str
    currency: str
    minor_digits: int
    amount_minor: int
    invoices: int


def payouts(
    session: Session,
    seller: str | None = None,
    *,
    after: tuple[str, str] | None = None,
    limit: int = 100,
) -> list[Payout]:
    """What each seller is owed, or one of them: net of invoices, less the operator's fee.

    Below zero where credits outweigh invoices: then the seller owes it. By seller and currency:
    at most `limit`, those that come after `after`.
    """
    asked = (
        select(
            JournalPostingRow.organisation,
            JournalEntryRow.currency,
            JournalEntryRow.minor_digits,
            func.sum(JournalPostingRow.amount_minor),
            func.count(),
        )
        .join(JournalEntryRow, JournalEntryRow.id == JournalPostingRow.entry)
        .where(JournalPostingRow.account == "seller")
        .group_by(
            JournalPostingRow.organisation, JournalEntryRow.currency, JournalEntryRow.minor_digits
        )
        .order_by(JournalPostingRow.organisation, JournalEntryRow.currency)
        .limit(limit)
    )
    if seller is not None:
        asked = asked.where(JournalPostingRow.organisation == seller)
    if after is not None:
        asked = asked.where(
            tuple_(JournalPostingRow.organisation, JournalEntryRow.currency) > after
        )
    return [
        Payout(
            seller=organisation,
            currency=currency,
            minor_digits=digits,
            amount_minor=-int(owed),
            invoices=count,
        )
        for organisation, currency, digits, owed, count in session.execute(asked)
    ]
