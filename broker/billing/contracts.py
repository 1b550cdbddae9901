"""Contracts as the control plane's tables tell them: history to pins and active spans."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from broker.billing.contract import Contract, Pin
from broker.billing.periods import CalendarMonths, FixedLength, Schedule, Span
from broker.billing.price import Price, parse_price
from broker.control import outbox
from broker.domain import period as domain
from broker.domain.period import parse_period
from broker.store.billing import InvoiceRow
from broker.store.control import (
    PlanVersionRow,
    ProductRow,
    SubscriptionHistoryRow,
    SubscriptionRow,
)

PAGE_MAX = 200  # contracts read at once
_ENDED = ("revoked", "expired")

_Version = tuple[Price, dict[str, Any]]


def contracts_of(session: Session, product: str, *, after: str = "") -> Iterator[Contract]:
    """Every subscription of a product that was ever active, by id, from past `after` on.

    Reads a page at a time, so that memory does not grow with them.
    """
    while True:
        page = session.scalars(
            select(SubscriptionRow.id)
            .where(
                SubscriptionRow.product == product,
                SubscriptionRow.activated_at.is_not(None),
                SubscriptionRow.id > after,
            )
            .order_by(SubscriptionRow.id)
            .limit(PAGE_MAX)
        ).all()
        yield from contracts_named(session, page)
        if len(page) < PAGE_MAX:
            return
        after = page[-1]


def contract_of(session: Session, subscription: str) -> Contract:
    """The contract of one subscription that was ever active."""
    [contract] = contracts_named(session, [subscription])
    return contract


def contracts_named(session: Session, subscriptions: Sequence[str]) -> list[Contract]:
    """The contracts of subscriptions that were ever active, by id; four statements in all.

    Raises:
        InvalidFieldError: a price or a period that was stored cannot be read.
    """
    rows = session.execute(
        select(SubscriptionRow, ProductRow.organisation)
        .join(ProductRow, ProductRow.id == SubscriptionRow.product)
        .where(SubscriptionRow.id.in_(subscriptions), SubscriptionRow.activated_at.is_not(None))
        .order_by(SubscriptionRow.id)
    ).all()
    told = _told(session, subscriptions)
    return [_contract(row, seller, told) for row, seller in rows]


@dataclass(frozen=True)
class _Told:
    """What the tables say of some subscriptions, by subscription; versions by plan and number."""

    history: Mapping[str, Sequence[SubscriptionHistoryRow]]
    billed: Mapping[str, Mapping[int, int]]
    versions: Mapping[tuple[str, int], _Version]


def _told(session: Session, subscriptions: Sequence[str]) -> _Told:
    steps = session.scalars(
        select(SubscriptionHistoryRow)
        .where(SubscriptionHistoryRow.subscription.in_(subscriptions))
        .order_by(SubscriptionHistoryRow.subscription, SubscriptionHistoryRow.number)
    )
    history: dict[str, list[SubscriptionHistoryRow]] = defaultdict(list)
    for step in steps:
        history[step.subscription].append(step)
    invoiced = session.execute(
        select(InvoiceRow.subscription, InvoiceRow.pinned_at_ms, func.max(InvoiceRow.through_ms))
        .where(InvoiceRow.subscription.in_(subscriptions))
        .group_by(InvoiceRow.subscription, InvoiceRow.pinned_at_ms)
    )
    billed: dict[str, dict[int, int]] = defaultdict(dict)
    for subscription, pinned_ms, through_ms in invoiced:
        billed[subscription][int(pinned_ms)] = int(through_ms)
    pinned = {(step.plan, step.plan_version) for steps in history.values() for step in steps}
    versions = session.scalars(
        select(PlanVersionRow).where(tuple_(PlanVersionRow.plan, PlanVersionRow.number).in_(pinned))
    )
    return _Told(
        history=history,
        billed=billed,
        versions={(one.plan, one.number): (parse_price(one.price), one.period) for one in versions},
    )


def _contract(row: SubscriptionRow, seller: str, told: _Told) -> Contract:
    history = told.history[row.id]
    return Contract(
        subscription=row.id,
        product=row.product,
        buyer=row.organisation,
        seller=seller,
        pins=tuple(_pins(row, told)),
        active=_active(history),
        ended_seq=history[-1].seq if history[-1].state in _ENDED else None,
    )


def _pins(row: SubscriptionRow, told: _Told) -> list[Pin]:
    """One for each plan version that held while the subscription lived, from its activation on."""
    pins: list[Pin] = []
    activated = False
    # Up to when each pin was billed, by the moment it was pinned.
    billed = told.billed.get(row.id, {})
    for step in told.history[row.id]:
        activated = activated or step.state == "active"
        pinned = (step.plan, step.plan_version)
        if activated and (not pins or pinned != (pins[-1].plan, pins[-1].version)):
            price, period = told.versions[pinned]
            at_ms = outbox.to_ms(step.at)
            pins.append(
                Pin(
                    plan=step.plan,
                    version=step.plan_version,
                    at_ms=at_ms,
                    price=price,
                    schedule=_schedule(period, row, at_ms),
                    billed_ms=billed.get(at_ms, 0),
                )
            )
    return pins


def _schedule(period: dict[str, Any], row: SubscriptionRow, pinned_ms: int) -> Schedule:
    """The plan's periods.

    Those of a fixed length count from the subscription's activation or, where it began under
    calendar months, from the pin.
    """
    rule = parse_period(period)
    if isinstance(rule, domain.CalendarMonth):
        return CalendarMonths(zone=ZoneInfo(rule.time_zone))
    anchor_ms = pinned_ms if row.period_anchor_ms is None else row.period_anchor_ms
    return FixedLength(anchor_ms=anchor_ms, length_ms=rule.longest_ms, zone=ZoneInfo("UTC"))


def _active(history: Sequence[SubscriptionHistoryRow]) -> tuple[Span, ...]:
    spans: list[Span] = []
    for step in history:
        at_ms = outbox.to_ms(step.at)
        open_ = bool(spans) and spans[-1].end_ms is None
        if step.state == "active" and not open_:
            spans.append(Span(first_ms=at_ms))
        elif step.state != "active" and open_:
            spans[-1] = Span(first_ms=spans[-1].first_ms, end_ms=at_ms)
    return tuple(spans)
