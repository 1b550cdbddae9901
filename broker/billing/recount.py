"""Recount: what an invoice was rated from, as the document that `weir rate` takes.

    invoice ▶ contract as it was then ▶ usage by day, price, context ▶ {"name", "price", …}

Made of the ledger and of history, as the invoice was, and never of the invoice's own lines; so
whoever may see an invoice can rate it anew and compare.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from broker.billing import invoice as invoices
from broker.billing.contract import Contract
from broker.billing.contracts import contract_of
from broker.billing.metered import Metered, metered_by_day
from broker.billing.periods import active_days, day_of
from broker.billing.rounding import plain
from broker.billing.statement import Stretch, stretch_of
from broker.control import outbox
from broker.domain.actor import Actor
from broker.errors import ConflictError
from broker.store.billing import InvoiceRow
from broker.store.control import PlanVersionRow


@dataclass(frozen=True, kw_only=True)
class Recount:
    """What an invoice was rated from.

    `document` is for `weir rate`. `days[i]` is the day of `document["usage"][i]`; without a day
    that is one usage of nothing. Where no day was active (`active_days` 0, so f = 0, which the
    format cannot say) the document's price has "0" for each amount that f multiplies; where there
    is no day either and splits are rated separately, usage of nothing is waived in it.
    `before`: the invoice that `already billed` refers to, by number, as a draft by id.
    """

    invoice: str
    number: str | None
    activated_at_ms: int
    days: tuple[date, ...]
    active_days: int
    before: str | None
    document: dict[str, Any]


def recount(session: Session, invoice_id: str, *, visible_to: Actor) -> Recount:
    """What an invoice was rated from, to its buyer, its seller or the operator.

    Raises:
        NotFoundError: none that `visible_to` may see.
        ConflictError: history no longer tells what it was rated from.
    """
    row = session.get_one(InvoiceRow, invoices.get(session, invoice_id, visible_to=visible_to).id)
    contract = contract_of(session, row.subscription)
    stretch = _stretch(contract, row)
    zone = stretch.term.pin.schedule.zone
    active = active_days(contract.active, stretch.active_first_ms, stretch.active_end_ms, zone)
    by_day = metered_by_day(session, row.subscription, stretch.first_ms, row.through_ms, zone)
    days = tuple(sorted({*active, *by_day}))
    before = _before(session, row)
    price = session.get_one(PlanVersionRow, (row.plan, row.plan_version)).price
    document = {
        "name": row.number or row.id,
        "price": _told(price, active=bool(active), split=bool(days)),
        # A list of usage holds at least one; of a period without a day, one of nothing.
        "usage": [_usage(by_day.get(day, Metered())) for day in days] or [_usage(Metered())],
        "context": _context(stretch, active, before),
    }
    return Recount(
        invoice=row.id,
        number=row.number,
        activated_at_ms=contract.opening_ms,
        days=days,
        active_days=len(active),
        before=None if before is None else before.number or before.id,
        document=document,
    )


def _stretch(contract: Contract, row: InvoiceRow) -> Stretch:
    """The stretch as it was when it was billed: changes of plan since then are left out."""
    made_ms = outbox.to_ms(row.created_at)
    then = replace(contract, pins=tuple(pin for pin in contract.pins if pin.at_ms <= made_ms))
    for term in then.terms():
        if term.pin.at_ms == row.pinned_at_ms:
            period = term.pin.schedule.at(row.period_first_ms)
            stretch = stretch_of(then, term, period, row.through_ms, over=row.final)
            if stretch is not None:
                return stretch
    raise ConflictError(
        f"invoice {row.id}: its subscription's history no longer tells what it was rated from"
    )


def _before(session: Session, row: InvoiceRow) -> InvoiceRow | None:
    """The invoice of the same period before this one, whose bill this one takes off."""
    return session.scalars(
        select(InvoiceRow)
        .where(
            InvoiceRow.subscription == row.subscription,
            InvoiceRow.pinned_at_ms == row.pinned_at_ms,
            InvoiceRow.period_first_ms == row.period_first_ms,
            tuple_(InvoiceRow.through_ms, InvoiceRow.final) < (row.through_ms, row.final),
        )
        .order_by(InvoiceRow.through_ms.desc(), InvoiceRow.final.desc())
        .limit(1)
    ).one_or_none()


def _told(price: dict[str, Any], *, active: bool, split: bool) -> dict[str, Any]:
    """The price, or one that comes to the same where the format cannot say what was rated."""
    told = price if active else _without_prorated(price)
    if split or price.get("splits") != "separate":
        return told
    # No split at all costs nothing, one of nothing may cost a minimum: unless it is waived.
    if "components" in told:
        return told | {"components": [_waived(component) for component in told["components"]]}
    return _waived(told)


def _waived(component: dict[str, Any]) -> dict[str, Any]:
    metered = component.get("model") != "flat"
    return component | ({"zero_usage_policy": "waive"} if metered else {})


def _without_prorated(price: dict[str, Any]) -> dict[str, Any]:
    """A price's document with "0" for what is multiplied by f: its bill for f = 0."""
    told = _free(price)
    if "components" in price:
        told["components"] = [_free(component) for component in price["components"]]
    if "minimum_commitment" in price and _prorated(price["minimum_commitment"]):
        told["minimum_commitment"] = price["minimum_commitment"] | {"amount": "0"}
    return told


def _free(component: dict[str, Any]) -> dict[str, Any]:
    flat = component.get("model") == "flat" and _prorated(component)
    return component | ({"amount": "0"} if flat else {})


def _prorated(charge: dict[str, Any]) -> bool:
    return bool(charge.get("proration", "days") == "days")


def _usage(one: Metered) -> dict[str, int]:
    return {"records": one.records, "bytes": one.billed_bytes}


def _context(stretch: Stretch, active: Sequence[date], before: InvoiceRow | None) -> dict[str, Any]:
    context: dict[str, Any] = {"final": stretch.final}
    if stretch.period.days is not None and active:
        first = day_of(stretch.period.first_ms, stretch.term.pin.schedule.zone)
        context["period"] = _days(first, stretch.period.days)
        # Only their number counts: a pause between them is left out, so that they are one range,
        # within a period of so many days, even where a zone has left out one of them.
        latest = first + timedelta(days=stretch.period.days - len(active))
        context["active"] = _days(min(active[0], latest), len(active))
    billed = _billed(before)
    if billed is not None:
        context["already_billed"] = {"amount": plain(billed)}
    return context


def _days(first: date, count: int) -> dict[str, str]:
    return {"from": first.isoformat(), "to": (first + timedelta(days=count)).isoformat()}


def _billed(before: InvoiceRow | None) -> Fraction | None:
    return None if before is None else Fraction(before.subtotal_minor) / 10**before.minor_digits
