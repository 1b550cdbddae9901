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

from broker.billing.rounding import round_whole
from broker.errors import InvalidFieldError
from broker.store.billing import (
    BillingSettingsRow,
    InvoiceRow,
    JournalEntryRow,
    JournalPostingRow,
)

BASIS_POINTS = 10_000


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
    return round_whole(Fraction(net_minor * basis_points, BASIS_POINTS), "half_even")


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
    basis_points = operator_fee_basis_points(session)
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


def operator_fee_basis_points(session: Session) -> int:
    """The exchange's share in hundredths of a percent; 500 is 5 %."""
    return session.get_one(BillingSettingsRow, 1).operator_fee_basis_points


def set_operator_fee(session: Session, basis_points: int) -> None:
    """Change the exchange's share for invoices finalised from here on.

    Raises:
        InvalidFieldError: not 0 to 10,000.
    """
    if not 0 <= basis_points <= BASIS_POINTS:
        raise InvalidFieldError(
            "operator_fee_basis_points", f"must be 0 to {BASIS_POINTS}, is {basis_points}"
        )
    session.get_one(BillingSettingsRow, 1).operator_fee_basis_points = basis_points
    session.flush()
