"""Terms: from when to when each plan version of a subscription is billed by.

    pinned v1 ──────────┐ pinned v2 ────────▶
    [    term of v1    )[ term of v2 …          the day of change is the new version's

The first term has no beginning: what a lagging router delivered of older records is billed in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.verify.calendar import Calendar
from broker.verify.rules import Pin, Subscription


@dataclass(frozen=True, slots=True)
class Version:
    """A plan version in PostgreSQL: its price and its period."""

    price: Mapping[str, Any]
    period: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Term:
    """One plan version's time. `end_ms` None: still; `day_end_ms`: end of its last whole day."""

    pin: Pin
    version: Version
    calendar: Calendar
    first_ms: int
    end_ms: int | None
    day_end_ms: int | None


def pins_of(subscription: Subscription) -> list[Pin]:
    """Its pins, without those that repeat the version before."""
    pins: list[Pin] = []
    for pin in subscription.pins:
        if not pins or (pins[-1].plan, pins[-1].version) != (pin.plan, pin.version):
            pins.append(pin)
    return pins


def terms_of(
    subscription: Subscription,
    versions: Mapping[tuple[str, int], Version],
    billed_ms: Mapping[int, int],
) -> list[Term]:
    """The terms of a subscription, in order.

    Args:
        subscription: as the control log has it.
        versions: the plan versions it has pinned.
        billed_ms: moment of a pin to how far it was billed: a day that was billed by the old
            version before it changed stays so up to there.
    """
    pins = pins_of(subscription)
    calendars = [_calendar(subscription, pin, versions) for pin in pins]
    days = [
        calendar.start_ms(calendar.day(pin.at_ms))
        for pin, calendar in zip(pins, calendars, strict=True)
    ]
    starts = _starts(pins, days, billed_ms)
    ends: list[int | None] = [*starts[1:], None]
    day_ends: list[int | None] = [*days[1:], None]
    return [
        Term(pin, versions[pin.plan, pin.version], calendar, first_ms, end_ms, day_end_ms)
        for pin, calendar, first_ms, end_ms, day_end_ms in zip(
            pins, calendars, starts, ends, day_ends, strict=True
        )
        if end_ms is None or first_ms < end_ms
    ]


def _starts(pins: Sequence[Pin], days: Sequence[int], billed_ms: Mapping[int, int]) -> list[int]:
    starts = [0]
    for before, day_ms in zip(pins, days[1:], strict=False):
        start_ms = max(starts[-1], day_ms, billed_ms.get(before.at_ms, 0))
        starts.append(start_ms if start_ms > pins[0].at_ms else 0)
    return starts


def _calendar(
    subscription: Subscription, pin: Pin, versions: Mapping[tuple[str, int], Version]
) -> Calendar:
    anchor_ms = subscription.period_anchor_ms
    return Calendar.of(
        versions[pin.plan, pin.version].period, pin.at_ms if anchor_ms is None else anchor_ms
    )
