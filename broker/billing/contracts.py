"""Contracts as the control plane's tables tell them: history to pins and active spans."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broker.billing.contract import Contract, Pin
from broker.billing.periods import CalendarMonths, FixedLength, Schedule, Span
from broker.billing.price import parse_price
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

_ENDED = ("revoked", "expired")


def contracts_of(session: Session, product: str) -> list[Contract]:
    """Every subscription of a product that was ever active, by id."""
    seller = session.scalars(select(ProductRow.organisation).where(ProductRow.id == product)).one()
    rows = session.scalars(
        select(SubscriptionRow)
        .where(SubscriptionRow.product == product, SubscriptionRow.activated_at.is_not(None))
        .order_by(SubscriptionRow.id)
    )
    return [_contract(session, row, seller) for row in rows]


def contract_of(session: Session, subscription: str) -> Contract:
    """The contract of one subscription that was ever active."""
    row = session.get_one(SubscriptionRow, subscription)
    return _contract(session, row, session.get_one(ProductRow, row.product).organisation)


def _contract(session: Session, row: SubscriptionRow, seller: str) -> Contract:
    history = session.scalars(
        select(SubscriptionHistoryRow)
        .where(SubscriptionHistoryRow.subscription == row.id)
        .order_by(SubscriptionHistoryRow.number)
    ).all()
    return Contract(
        subscription=row.id,
        product=row.product,
        buyer=row.organisation,
        seller=seller,
        pins=tuple(_pins(session, row, history)),
        active=_active(history),
        ended_seq=history[-1].seq if history[-1].state in _ENDED else None,
    )


def _pins(
    session: Session, row: SubscriptionRow, history: Sequence[SubscriptionHistoryRow]
) -> list[Pin]:
    """One for each plan version that held while the subscription lived, from its activation on."""
    pins: list[Pin] = []
    activated = False
    billed = _billed(session, row.id)
    for step in history:
        activated = activated or step.state == "active"
        pinned = (step.plan, step.plan_version)
        if activated and (not pins or pinned != (pins[-1].plan, pins[-1].version)):
            version = session.get_one(PlanVersionRow, pinned)
            pins.append(
                Pin(
                    plan=step.plan,
                    version=step.plan_version,
                    at_ms=outbox.to_ms(step.at),
                    price=parse_price(version.price),
                    schedule=_schedule(version.period, row, outbox.to_ms(step.at)),
                    billed_ms=billed.get(outbox.to_ms(step.at), 0),
                )
            )
    return pins


def _billed(session: Session, subscription: str) -> dict[int, int]:
    """Up to when each pin was billed, by the moment it was pinned."""
    rows = session.execute(
        select(InvoiceRow.pinned_at_ms, func.max(InvoiceRow.through_ms))
        .where(InvoiceRow.subscription == subscription)
        .group_by(InvoiceRow.pinned_at_ms)
    )
    return {int(pinned_ms): int(through_ms) for pinned_ms, through_ms in rows}


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
