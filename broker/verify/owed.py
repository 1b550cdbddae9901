"""Owed: bills that a settled close proves to be due, whether or not anybody has made them.

settled close ▶ periods with activity or usage that it ends, or falls into ▶ not billed so far?

Usage alone would not do: a flat fee or a minimum is owed for a period in which nothing was used.
Only what the control log held when the close was asked for counts: what came later, a later close
bills.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from broker.verify import statement
from broker.verify.calendar import Period
from broker.verify.rating import Bill
from broker.verify.rules import Subscription
from broker.verify.spending import Spending
from broker.verify.statement import Invoice
from broker.verify.terms import Term, pins_of

_EVER = 2**62
# Closing by proof takes seconds, or as long as a partition stands still.
_LATE_MS = 60 * 60 * 1000
# Of a subscription: where nothing closes short periods, there are soon a great many.
_LATE_MAX = 100


class Close(NamedTuple):
    """A settled close. `interim`: it bills periods that go on, too."""

    end_ms: int
    seq: int
    interim: bool


class Owed(NamedTuple):
    """Billing time that no invoice reaches. `records`: what was metered in it."""

    term: Term
    period: Period
    first_ms: int
    through_ms: int
    records: int
    bill: Bill


def owed(
    member: Subscription,
    terms: Sequence[Term],
    closes: Sequence[Close],
    last: Mapping[tuple[int, int], Invoice],
    spending: Spending,
    *,
    open_max: int | None = None,
) -> Iterator[Owed]:
    """What should have been invoiced and was not.

    Args:
        member: the subscription, by the control log.
        terms: its plan versions' times.
        closes: those that reach furthest.
        last: by moment of the pin and first moment of the period, the last invoice there is.
        spending: what was metered.
        open_max: how many periods without a final bill to look at; default all.
    """
    opened = 0
    seen: set[tuple[int, int]] = set()
    for close in closes:
        for term in _known(member, terms, close):
            for period in _periods(member, term, close, spending):
                key = (term.pin.at_ms, period.first_ms)
                if key in seen:
                    continue
                before = last.get(key)
                opened += before is None or not before.final
                if open_max is not None and opened > open_max:
                    return
                one = _missing(member, term, period, close, before, spending=spending)
                if one is not None:
                    seen.add(key)
                    yield one


def overdue(
    member: Subscription,
    terms: Sequence[Term],
    last: Mapping[tuple[int, int], Invoice],
    spending: Spending,
    *,
    now_ms: int,
) -> Iterator[Owed]:
    """What a close of an hour ago would bill for good: its time is past, or its subscription over.

    Looks at the first hundred periods of a subscription that have no final bill.

    Args:
        member: the subscription, by the control log.
        terms: its plan versions' times.
        last: by moment of the pin and first moment of the period, the last invoice there is.
        spending: what was metered.
        now_ms: by the clock.
    """
    close = Close(now_ms - _LATE_MS, _EVER, interim=False)
    over = _over(member, close, spending)
    for one in owed(member, terms, [close], last, spending, open_max=_LATE_MAX):
        if over or one.period.end_ms <= close.end_ms:
            yield one


def _known(member: Subscription, terms: Sequence[Term], close: Close) -> Iterator[Term]:
    """The terms that had begun when the close was asked for; the last one then had no end."""
    pins = pins_of(member)
    replaced = {pin.at_ms: after for pin, after in pairwise(pins)}
    for term in terms:
        after = replaced.get(term.pin.at_ms)
        if term.pin.seq > close.seq:
            return
        if after is not None and after.seq > close.seq:
            yield replace(term, end_ms=None, day_end_ms=None)
            return
        yield term


def _periods(member: Subscription, term: Term, close: Close, spending: Spending) -> list[Period]:
    """Periods of the term, begun before the close's end, with activity or usage."""
    end_ms = close.end_ms if term.end_ms is None else min(close.end_ms, term.end_ms)
    opening_ms = member.pins[0].at_ms
    found = {
        term.calendar.period(max(spent.first_ms, opening_ms))
        for spent in spending.between(member.id, term.first_ms, end_ms)
    }
    for first_ms, span_end_ms in member.spans_known(close.seq):
        at_ms = max(first_ms, term.first_ms)
        until_ms = end_ms if span_end_ms is None else min(end_ms, span_end_ms)
        while at_ms < until_ms:
            period = term.calendar.period(max(at_ms, opening_ms))
            found.add(period)
            at_ms = period.end_ms
    return sorted(found)


def _missing(
    member: Subscription,
    term: Term,
    period: Period,
    close: Close,
    before: Invoice | None,
    *,
    spending: Spending,
) -> Owed | None:
    end_ms = period.end_ms if term.end_ms is None else min(period.end_ms, term.end_ms)
    through_ms = min(end_ms, close.end_ms)
    final = through_ms == end_ms or _over(member, close, spending)
    if not (final or close.interim) or max(term.first_ms, period.first_ms) >= through_ms:
        return None
    if before is not None and (before.final or (not final and before.through_ms >= through_ms)):
        return None
    first_ms = statement.starts_ms(term, period, member) if before is None else before.through_ms
    records = sum(one.records for one in spending.between(member.id, first_ms, through_ms))
    bill = statement.due(
        member, term, period, spending, through_ms=through_ms, final=final, before=before
    )
    if not records and not bill.total:
        return None
    return Owed(term, period, first_ms, through_ms, records, bill)


def _over(member: Subscription, close: Close, spending: Spending) -> bool:
    """Whether the subscription had ended, and all that it got stands before the close's end."""
    ended_ms = member.spans[-1][1] if member.ended else None
    if ended_ms is None or ended_ms > close.end_ms or member.active.seqs[-1] > close.seq:
        return False
    return not any(spending.between(member.id, close.end_ms, _EVER))
