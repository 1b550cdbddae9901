"""Statements: what one term owes for one period so far. Pure: contract and usage in, bill out.

period    [════════════════════════════)
term         [═════════ …                      the part under this plan version
through               ▲                        how far billing time is proven
bill         [════════)                        rated whole, less what was billed before
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from broker.billing.context import Context
from broker.billing.contract import Contract, Term
from broker.billing.metered import Metered
from broker.billing.periods import Period, active_days
from broker.billing.rate import Bill, rate
from broker.billing.usage import Split


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """The part of one period that is billed: usage of `[first_ms, through_ms)`.

    `[active_first_ms, active_end_ms)`: the part whose days count as active. `final`: no more of
    this period is to come under this term.
    """

    term: Term
    period: Period
    first_ms: int
    active_first_ms: int
    active_end_ms: int
    through_ms: int
    final: bool


def stretch_of(
    contract: Contract, term: Term, period: Period, proven_ms: int, *, over: bool = False
) -> Stretch | None:
    """What of a period can be billed once billing time is proven up to `proven_ms`.

    Args:
        contract: whose subscription it is.
        term: whose plan version holds.
        period: one of its schedule.
        proven_ms: the end of a close.
        over: nothing more will come, although the period goes on.

    Returns:
        None where nothing of it is proven yet, or the term has no part in it.
    """
    active_first_ms = max(term.first_ms, period.first_ms)
    end_ms = period.end_ms if term.end_ms is None else min(period.end_ms, term.end_ms)
    through_ms = min(end_ms, proven_ms)
    if active_first_ms >= through_ms:
        return None
    return Stretch(
        term=term,
        period=period,
        first_ms=term.first_ms if period.first_ms <= contract.opening_ms else active_first_ms,
        active_first_ms=active_first_ms,
        active_end_ms=through_ms if term.day_end_ms is None else min(through_ms, term.day_end_ms),
        through_ms=through_ms,
        final=over or through_ms == end_ms,
    )


def bill_of(
    contract: Contract,
    stretch: Stretch,
    by_day: Mapping[date, Metered],
    already_billed: Fraction | None,
) -> Bill:
    """Rate a stretch.

    Each calendar day that was active at any moment, or has usage, is one split. The flat fee and
    the minimum are prorated by those active days; whole or not at all for periods of a
    fixed length.

    Args:
        contract: whose subscription it is.
        stretch: the part of the period.
        by_day: usage of the stretch.
        already_billed: the subtotal of the period's bill before this one; None for the first.
    """
    pin = stretch.term.pin
    active = active_days(
        contract.active, stretch.active_first_ms, stretch.active_end_ms, pin.schedule.zone
    )
    days = sorted({*active, *by_day})
    splits = tuple(_split(by_day.get(day, Metered())) for day in days)
    # A period that only late usage falls into, after the subscription had ended, owes no fee.
    share = Fraction(1 if active else 0)
    if stretch.period.days is not None:
        share = Fraction(len(active), stretch.period.days)
    context = Context(share=share, final=stretch.final, already_billed=already_billed)
    return rate(pin.price, splits, context)


def _split(metered: Metered) -> Split:
    return Split(records=Fraction(metered.records), bytes=Fraction(metered.billed_bytes))
