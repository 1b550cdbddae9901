"""Settle: one proven close becomes invoices, one for each stretch that it lets be billed.

    close proven ▶ contracts of the product ▶ stretches not billed yet ▶ drafts ▶ finalised

Running it again changes nothing: an invoice's id is made of what it bills.
"""

import uuid
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.billing import invoice as invoices
from broker.billing.activity import last_invoice, next_activity_ms, unbilled_ms
from broker.billing.close import Close, iso, proof
from broker.billing.contract import Contract
from broker.billing.contracts import contracts_of
from broker.billing.currency import exponent
from broker.billing.ending import Drained, never_drained
from broker.billing.invoice import Invoice
from broker.billing.metered import first_usage_ms, metered, metered_by_day
from broker.billing.rate import Bill
from broker.billing.rounding import plain
from broker.billing.statement import Stretch, bill_of, stretch_of
from broker.domain.actor import SYSTEM
from broker.errors import ConflictError, NotFoundError
from broker.store.billing import InvoiceLineRow, InvoiceRow, PeriodCloseRow
from broker.store.control import ProductRow

INVOICES_MAX = 500
_IDS = uuid.UUID("5ba0c0de-0000-4000-8000-77656972b111")


def settle(
    session: Session,
    product: str,
    end_ms: int,
    *,
    now: datetime,
    drained: Drained = never_drained,
    invoices_max: int = INVOICES_MAX,
) -> list[Invoice]:
    """Bill what a close proves, in the caller's transaction.

    Args:
        session: its transaction holds the invoices, their numbers and journal entries.
        product: whose close.
        end_ms: of the close.
        now: when the invoices are made, and issued.
        drained: asked for a product whose topic has ended; see `ending.py`.
        invoices_max: at most so many; the close is settled once a call makes fewer.

    Returns:
        The invoices made, as drafts if the close asked for drafts; none once all are made.

    Raises:
        NotFoundError: there is no such close.
        ConflictError: it is not proven; says which partition is missing.
    """
    # The product, as whoever asks for a close does: two of its closes settle one after the other.
    # Invoices refer to the product, which this lock lets them.
    session.execute(
        select(ProductRow.id).where(ProductRow.id == product).with_for_update(key_share=True)
    )
    # Read anew, now that it is locked: it may have been asked for again, by a later event.
    close = _locked(session, product, end_ms)
    proven = proof(session, product, end_ms, now=now, drained=drained)
    if proven.missing:
        first = proven.missing[0]
        raise ConflictError(
            f"product {product}: partition {first.partition} {first.why}; the close is not "
            "complete, wait for its proof"
        )
    after = close.billed_through if close.settled_at is None else ""
    found, billed_through = _open_stretches(session, proven.close, after, invoices_max)
    made = [_draft(session, *one, now=now) for one in found]
    if proven.close.finalise:
        result = [invoices.finalise(session, made_id, by=SYSTEM, now=now) for made_id in made]
    else:
        result = [invoices.get(session, made_id, visible_to=SYSTEM) for made_id in made]
    if close.settled_at is None:
        close.billed_through = billed_through
        if len(made) < invoices_max:
            close.settled_at = now
    session.flush()
    return result


def _locked(session: Session, product: str, end_ms: int) -> PeriodCloseRow:
    row = session.get(
        PeriodCloseRow, (product, end_ms), with_for_update=True, populate_existing=True
    )
    if row is None:
        raise NotFoundError("period close", f"{product} at {iso(end_ms)}")
    return row


_Open = tuple[Contract, Stretch, InvoiceRow | None]


def _open_stretches(
    session: Session, close: Close, after: str, limit: int
) -> tuple[list[_Open], str]:
    """What subscriptions past `after` have to bill, at most so much; and the last one that is done.

    Nothing more comes for those before: the close is proven. What a change of theirs makes due is
    another close's (`due.py`).
    """
    found: list[_Open] = []
    for contract in contracts_of(session, close.product, after=after):
        for stretch, before in _unbilled(session, contract, close):
            if len(found) == limit:
                return found, after
            found.append((contract, stretch, before))
        after = contract.subscription
    return found, after


def _unbilled(
    session: Session, contract: Contract, close: Close
) -> Iterator[tuple[Stretch, InvoiceRow | None]]:
    """Each stretch that is proven and not billed, with the period's invoice before it."""
    over = _is_over(session, contract, close)
    proven_ms = close.end_ms
    for term in contract.terms():
        last = last_invoice(session, contract, term)
        at_ms = unbilled_ms(session, contract, term)
        while at_ms is not None and at_ms < proven_ms:
            period = contract.period_at(term, at_ms)
            stretch = stretch_of(contract, term, period, proven_ms, over=over)
            before = last if last is not None and last.period_first_ms == period.first_ms else None
            news = before is None or (
                stretch is not None and (stretch.final or before.through_ms < stretch.through_ms)
            )
            wanted = stretch is not None and (close.interim or stretch.final)
            if stretch is not None and news and wanted:
                yield stretch, before
            at_ms = next_activity_ms(session, contract, term, period.end_ms)


def _is_over(session: Session, contract: Contract, close: Close) -> bool:
    """Whether the subscription has ended and everything it got stands before the close's end.

    The close is proven by segments that know of the end, so what they do not hold will never come;
    but what was delivered before a router knew may bear a later billing time.
    """
    ended_ms = contract.active[-1].end_ms
    if contract.ended_seq is None or contract.ended_seq > close.seq or ended_ms is None:
        return False
    late_ms = first_usage_ms(session, contract.subscription, close.end_ms)
    return ended_ms <= close.end_ms and late_ms is None


def _draft(
    session: Session,
    contract: Contract,
    stretch: Stretch,
    before: InvoiceRow | None,
    *,
    now: datetime,
) -> str:
    pin = stretch.term.pin
    zone = pin.schedule.zone
    span = (contract.subscription, stretch.first_ms, stretch.through_ms)
    by_day = metered_by_day(session, *span, zone)
    digits = exponent(pin.price.currency)
    billed = None
    if before is not None:
        billed = Fraction(before.subtotal_minor) / 10**digits
    bill = bill_of(contract, stretch, by_day, billed)
    billed_first_ms = stretch.first_ms if before is None else before.through_ms
    new = metered(session, contract.subscription, billed_first_ms, stretch.through_ms)
    name = (
        f"{contract.subscription} {pin.at_ms} {stretch.period.first_ms} {stretch.through_ms} "
        f"{stretch.final}"
    )
    row = InvoiceRow(
        id=str(uuid.uuid5(_IDS, name)),
        state="draft",
        seller=contract.seller,
        buyer=contract.buyer,
        product=contract.product,
        subscription=contract.subscription,
        plan=pin.plan,
        plan_version=pin.version,
        pinned_at_ms=pin.at_ms,
        period_first_ms=stretch.period.first_ms,
        period_end_ms=stretch.period.end_ms,
        billed_first_ms=billed_first_ms,
        through_ms=stretch.through_ms,
        final=stretch.final,
        records=new.records,
        billed_bytes=new.billed_bytes,
        currency=bill.currency,
        minor_digits=digits,
        subtotal_minor=_minor(bill.subtotal, digits),
        net_minor=_minor(bill.net, digits),
        tax_minor=_minor(bill.tax, digits),
        total_minor=_minor(bill.total, digits),
        created_at=now,
    )
    session.add(row)
    session.flush()
    _add_lines(session, row.id, bill)
    return row.id


def _add_lines(session: Session, invoice_id: str, bill: Bill) -> None:
    session.add_all(
        InvoiceLineRow(
            invoice=invoice_id,
            position=position,
            description=line.description,
            quantity=Decimal(plain(line.quantity)),
            amount=Decimal(plain(line.amount, at_least=bill.scale)),
        )
        for position, line in enumerate(bill.lines)
    )
    session.flush()


def _minor(amount: Fraction, digits: int) -> Decimal:
    minor = amount * 10**digits
    if minor.denominator != 1:
        raise ConflictError(
            f"amount {plain(amount)}: has more than {digits} digits after the point, so it cannot "
            "be invoiced; publication should have refused its price"
        )
    return Decimal(minor.numerator)
