"""Invoices: draft, then finalised, then never changed.

    draft ──finalise: number, journal entry──▶ finalised

The number is gapless per seller and year: its counter row stays locked until the transaction ends.
PostgreSQL itself refuses any change of what is finalised (see the migration).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from sqlalchemy import or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from broker.billing import journal
from broker.domain.actor import Actor
from broker.errors import ConflictError, NotFoundError
from broker.store.billing import InvoiceCounterRow, InvoiceLineRow, InvoiceRow

State = Literal["draft", "finalised"]


@dataclass(frozen=True, kw_only=True)
class InvoiceLine:
    """One line; `amount` is a decimal of the currency, at times finer than its minor unit."""

    description: str
    quantity: Decimal
    amount: Decimal


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """What a buyer owes a seller; below zero it is a credit.

    `records` and `billed_bytes` are those this invoice is the first to bill, of
    `[billed_first_ms, through_ms)`. `*_minor`: whole minor units, of `minor_digits` digits.
    """

    id: str
    number: str | None
    state: str
    seller: str
    buyer: str
    product: str
    subscription: str
    plan: str
    plan_version: int
    period_first_ms: int
    period_end_ms: int
    billed_first_ms: int
    through_ms: int
    final: bool
    records: int
    billed_bytes: int
    currency: str
    minor_digits: int
    lines: tuple[InvoiceLine, ...]
    net_minor: int
    tax_minor: int
    total_minor: int
    created_at: datetime
    finalised_at: datetime | None

    def major(self, minor: int) -> Decimal:
        """An amount of this invoice in the currency's major unit."""
        # From text: arithmetic on Decimal would round to 28 digits.
        return Decimal(f"{minor}e-{self.minor_digits}")


def get(session: Session, invoice_id: str, *, visible_to: Actor) -> Invoice:
    """One invoice, to its buyer, its seller or the operator; by id or by number.

    Raises:
        NotFoundError: none that `visible_to` may see.
    """
    return _invoice(session, _load(session, invoice_id, visible_to))


def list_invoices(
    session: Session,
    *,
    visible_to: Actor,
    product: str | None = None,
    subscription: str | None = None,
    state: State | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int = 100,
) -> list[Invoice]:
    """Invoices that an organisation may see as buyer or seller, oldest first.

    Args:
        session: where they are read.
        visible_to: whose; the operator sees all.
        product: only of this product.
        subscription: only of this subscription.
        state: only in this state.
        after: `(created_at, id)` of the last one of the page before.
        limit: at most so many.
    """
    asked = select(InvoiceRow).order_by(InvoiceRow.created_at, InvoiceRow.id).limit(limit)
    if visible_to.organisation is not None:
        own = visible_to.organisation
        asked = asked.where(or_(InvoiceRow.buyer == own, InvoiceRow.seller == own))
    for column, value in (
        (InvoiceRow.product, product),
        (InvoiceRow.subscription, subscription),
        (InvoiceRow.state, state),
    ):
        if value is not None:
            asked = asked.where(column == value)
    if after is not None:
        asked = asked.where(tuple_(InvoiceRow.created_at, InvoiceRow.id) > after)
    return [_invoice(session, row) for row in session.scalars(asked)]


def finalise(session: Session, invoice_id: str, *, by: Actor, now: datetime) -> Invoice:
    """Issue a draft: give it its number, write its journal entry. Doing it again changes nothing.

    Raises:
        NotFoundError: none that `by` may see.
        ConflictError: `by` is its buyer: the seller issues.
    """
    row = _load(session, invoice_id, by, lock=True)
    if not by.owns(row.seller):
        raise ConflictError(f"invoice {row.id}: its seller {row.seller} finalises it")
    if row.state == "finalised":
        return _invoice(session, row)
    year = now.astimezone(UTC).year
    row.sequence = _next_sequence(session, row.seller, year)
    row.year = year
    row.number = f"{row.seller.upper()}-{year}-{row.sequence:06}"
    row.state = "finalised"
    row.finalised_at = now
    session.flush()
    journal.append_invoice(session, row, now=now)
    return _invoice(session, row)


def _next_sequence(session: Session, seller: str, year: int) -> int:
    first = insert(InvoiceCounterRow).values(seller=seller, year=year, last=1)
    return session.execute(
        first.on_conflict_do_update(
            index_elements=[InvoiceCounterRow.seller, InvoiceCounterRow.year],
            set_={"last": InvoiceCounterRow.last + 1},
        ).returning(InvoiceCounterRow.last)
    ).scalar_one()


def _load(session: Session, asked: str, visible_to: Actor, *, lock: bool = False) -> InvoiceRow:
    query = select(InvoiceRow).where(or_(InvoiceRow.id == asked, InvoiceRow.number == asked))
    row = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if row is None or not (visible_to.owns(row.seller) or visible_to.owns(row.buyer)):
        raise NotFoundError("invoice", asked)
    return row


def _lines(session: Session, invoice_id: str) -> Sequence[InvoiceLineRow]:
    return session.scalars(
        select(InvoiceLineRow)
        .where(InvoiceLineRow.invoice == invoice_id)
        .order_by(InvoiceLineRow.position)
    ).all()


def _invoice(session: Session, row: InvoiceRow) -> Invoice:
    return Invoice(
        id=row.id,
        number=row.number,
        state=row.state,
        seller=row.seller,
        buyer=row.buyer,
        product=row.product,
        subscription=row.subscription,
        plan=row.plan,
        plan_version=row.plan_version,
        period_first_ms=row.period_first_ms,
        period_end_ms=row.period_end_ms,
        billed_first_ms=row.billed_first_ms,
        through_ms=row.through_ms,
        final=row.final,
        records=row.records,
        billed_bytes=row.billed_bytes,
        currency=row.currency,
        minor_digits=row.minor_digits,
        lines=tuple(
            InvoiceLine(description=line.description, quantity=line.quantity, amount=line.amount)
            for line in _lines(session, row.id)
        ),
        net_minor=int(row.net_minor),
        tax_minor=int(row.tax_minor),
        total_minor=int(row.total_minor),
        created_at=row.created_at,
        finalised_at=row.finalised_at,
    )
