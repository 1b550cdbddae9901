"""Journal: who owes what to whom, in entries that sum to zero.

    an invoice of total T = net N + tax X, operator fee F of N:
        buyer          +T        owes the exchange
        seller         -(N - F)  is owed by the exchange
        operator-fee   -F        the exchange's own share
        tax            -X        held for the seller's tax authority

Entries are appended and never change; PostgreSQL checks the sum when the transaction commits.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from sqlalchemy.orm import Session

from broker.billing.fee import BASIS_POINTS_MAX, operator_fee
from broker.billing.rounding import round_whole
from broker.store.billing import InvoiceRow, JournalEntryRow, JournalPostingRow


@dataclass(frozen=True, kw_only=True)
class Posting:
    """One side of an entry, in minor units; `organisation` is whose business it is."""

    account: str
    organisation: str
    amount_minor: int


def operator_fee_minor(net_minor: int, basis_points: int) -> int:
    """The exchange's share of a net sum, to whole minor units, half to even.

    Below zero for a credit: the fee on what is given back is given back.
    """
    return round_whole(Fraction(net_minor * basis_points, BASIS_POINTS_MAX), "half_even")


def invoice_postings(
    *, buyer: str, seller: str, net_minor: int, tax_minor: int, basis_points: int
) -> tuple[Posting, ...]:
    """The postings of one invoice; they sum to zero."""
    fee_minor = operator_fee_minor(net_minor, basis_points)
    return (
        Posting(account="buyer", organisation=buyer, amount_minor=net_minor + tax_minor),
        Posting(account="seller", organisation=seller, amount_minor=fee_minor - net_minor),
        Posting(account="operator-fee", organisation=seller, amount_minor=-fee_minor),
        Posting(account="tax", organisation=seller, amount_minor=-tax_minor),
    )


def append_invoice(session: Session, invoice: InvoiceRow, *, now: datetime) -> None:
    """Write the entry of an invoice that is being finalised, in the caller's transaction."""
    basis_points = operator_fee(session).basis_points
    postings = invoice_postings(
        buyer=invoice.buyer,
        seller=invoice.seller,
        net_minor=int(invoice.net_minor),
        tax_minor=int(invoice.tax_minor),
        basis_points=basis_points,
    )
    entry = JournalEntryRow(
        id=f"invoice/{invoice.id}",
        kind="invoice",
        invoice=invoice.id,
        at=now,
        currency=invoice.currency,
        minor_digits=invoice.minor_digits,
        operator_fee_basis_points=basis_points,
        posting_count=len(postings),
    )
    session.add(entry)
    session.flush()
    session.add_all(
        JournalPostingRow(
            entry=entry.id,
            position=position,
            account=posting.account,
            organisation=posting.organisation,
            amount_minor=Decimal(posting.amount_minor),
        )
        for position, posting in enumerate(postings)
    )
    session.flush()
