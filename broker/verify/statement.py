"""Statement: one invoice against what the recount makes of its period.

spending of the period, days, plan version ──rating──▶ lines, tax, total  =?  invoice
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from broker.verify.calendar import Period
from broker.verify.rating import Bill, Line, Usage, rate
from broker.verify.rounding import minor_digits, to_scale
from broker.verify.rules import Subscription
from broker.verify.spending import Spending
from broker.verify.terms import Term

_QUANTITY_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Invoice:
    """One row of `invoices` with its lines."""

    id: str
    state: str
    number: str | None
    year: int | None
    sequence: int | None
    seller: str
    buyer: str
    product: str
    subscription: str
    plan: str
    plan_version: int
    pinned_at_ms: int
    period_first_ms: int
    period_end_ms: int
    billed_first_ms: int
    through_ms: int
    final: bool
    records: int
    billed_bytes: int
    currency: str
    minor_digits: int
    subtotal_minor: Decimal
    net_minor: Decimal
    tax_minor: Decimal
    total_minor: Decimal
    lines: tuple[tuple[str, Decimal, Decimal], ...]

    @property
    def name(self) -> str:
        """Its number, or its id while it is a draft."""
        return self.number or self.id


def faults(
    invoice: Invoice,
    before: Invoice | None,
    term: Term,
    subscription: Subscription,
    spending: Spending,
) -> Iterator[str]:
    """Where an invoice is not what its period comes to.

    Args:
        invoice: the one in question.
        before: the bill of the same term and period before it, if there was one.
        term: the plan version's time that it names.
        subscription: whose it is, by the control log.
        spending: what was metered.
    """
    opening_ms = subscription.pins[0].at_ms
    period = term.calendar.period(max(invoice.period_first_ms, opening_ms))
    yield from _number_faults(invoice)
    currency = term.version.price["currency"]
    if invoice.currency != currency:
        yield f"is in {invoice.currency}, its price is in {currency}"
    yield from _range_faults(invoice, period, term, subscription)
    billed_first_ms = starts_ms(term, period, subscription) if before is None else before.through_ms
    if invoice.billed_first_ms != billed_first_ms:
        yield f"bills from {invoice.billed_first_ms}, it should from {billed_first_ms}"
    span = (invoice.subscription, billed_first_ms, invoice.through_ms)
    new = Usage(
        sum(spent.records for spent in spending.between(*span)),
        sum(spent.billed_bytes for spent in spending.between(*span)),
    )
    if (invoice.records, invoice.billed_bytes) != new:
        yield (
            f"bills {invoice.records} records of {invoice.billed_bytes} bytes, metered were "
            f"{new.records} of {new.billed_bytes}"
        )
    bill = due(
        subscription,
        term,
        period,
        spending,
        through_ms=invoice.through_ms,
        final=invoice.final,
        before=before,
    )
    yield from _amount_faults(invoice, bill)


def starts_ms(term: Term, period: Period, subscription: Subscription) -> int:
    """Where the bill of a period begins: the first one holds what is older than it, too."""
    if period.first_ms <= subscription.pins[0].at_ms:
        return term.first_ms
    return max(term.first_ms, period.first_ms)


def due(
    subscription: Subscription,
    term: Term,
    period: Period,
    spending: Spending,
    *,
    through_ms: int,
    final: bool,
    before: Invoice | None,
) -> Bill:
    """What a period comes to up to `through_ms`, less the bill `before` of the same period."""
    calendar = term.calendar
    active_end_ms = through_ms
    if term.day_end_ms is not None and before is not None and before.through_ms == through_ms:
        # The last bill of a term whose day of change was billed before it changed: it gives the
        # day back. Bills made before the change rightly count it.
        active_end_ms = min(through_ms, term.day_end_ms)
    active = calendar.days(subscription.spans, max(term.first_ms, period.first_ms), active_end_ms)
    by_day: dict[date, Usage] = defaultdict(lambda: Usage(0, 0))
    begin_ms = starts_ms(term, period, subscription)
    for spent in spending.between(subscription.id, begin_ms, through_ms):
        day = calendar.day(spent.first_ms)
        had = by_day[day]
        by_day[day] = Usage(had.records + spent.records, had.billed_bytes + spent.billed_bytes)
    splits = [by_day.get(day, Usage(0, 0)) for day in sorted({*active, *by_day})]
    billed = None
    if before is not None:
        billed = Fraction(before.subtotal_minor) / 10**before.minor_digits
    return rate(
        term.version.price,
        splits,
        share=Fraction(len(active), period.days) if period.days else Fraction(bool(active)),
        final=final,
        already_billed=billed,
    )


def _number_faults(invoice: Invoice) -> Iterator[str]:
    if invoice.year is None or invoice.sequence is None:
        return
    number = f"{invoice.seller.upper()}-{invoice.year}-{invoice.sequence:06}"
    if invoice.number != number:
        yield f"has another number than its place in the sequence, {number}"


def _range_faults(
    invoice: Invoice, period: Period, term: Term, subscription: Subscription
) -> Iterator[str]:
    if (invoice.period_first_ms, invoice.period_end_ms) != period[:2]:
        yield (
            f"is for period [{invoice.period_first_ms}, {invoice.period_end_ms}), the plan's is "
            f"[{period.first_ms}, {period.end_ms})"
        )
    end_ms = period.end_ms if term.end_ms is None else min(period.end_ms, term.end_ms)
    if invoice.through_ms > end_ms:
        yield f"bills up to {invoice.through_ms}, past its end, {end_ms}"
    ended_ms = subscription.spans[-1][1] if subscription.ended else None
    over = ended_ms is not None and ended_ms <= invoice.through_ms
    # Where a change of plan ended the term later, a bill up to there was not the last one then.
    if not invoice.final and invoice.through_ms == period.end_ms:
        yield "is not final although its period is over"
    if invoice.final and invoice.through_ms != end_ms and not over:
        yield f"is final although its period goes on to {end_ms}"


def _amount_faults(invoice: Invoice, bill: Bill) -> Iterator[str]:
    digits = minor_digits(invoice.currency)
    if invoice.minor_digits != digits:
        yield f"counts {invoice.minor_digits} minor digits, {invoice.currency} has {digits}"
    for name in ("subtotal", "net", "tax", "total"):
        said = Fraction(getattr(invoice, f"{name}_minor"))
        due = getattr(bill, name) * 10**digits
        if said != due:
            yield f"{name} is {shown(said / 10**digits)}, it should be {shown(due / 10**digits)}"
    yield from _line_faults(invoice, bill.lines)


def _line_faults(invoice: Invoice, due: Sequence[Line]) -> Iterator[str]:
    if len(invoice.lines) != len(due):
        yield f"has {len(invoice.lines)} lines, it should have {len(due)}"
        return
    for position, ((description, quantity, amount), line) in enumerate(
        zip(invoice.lines, due, strict=True)
    ):
        if description != line.description:
            yield f"line {position} is {description!r}, it should be {line.description!r}"
        if Fraction(amount) != line.amount:
            yield f"line {description!r} is {shown(amount)}, it should be {shown(line.amount)}"
        if Fraction(quantity) != to_scale(line.quantity, "half_even", _QUANTITY_DIGITS):
            yield (
                f"line {description!r} counts {shown(quantity)}, it should {shown(line.quantity)}"
            )


def shown(value: Fraction | Decimal) -> str:
    """A number as a person writes it."""
    value = to_scale(Fraction(value), "half_even", _QUANTITY_DIGITS)
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return f"{exact.normalize():f}"
