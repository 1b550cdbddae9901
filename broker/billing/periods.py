"""Billing periods and the days in them, in the plan's time zone.

    calendar months   first of the month to first of the next, midnight in the zone
    fixed length      anchor + k * length; rated without proration (f = 1)

Billing time is append time in ms since 1970 UTC. Every range is half-open.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, kw_only=True)
class Span:
    """From `first_ms` up to, not including, `end_ms`; None: without end."""

    first_ms: int
    end_ms: int | None = None

    def meets(self, first_ms: int, end_ms: int) -> bool:
        """Whether it shares a moment with `[first_ms, end_ms)`; what is empty shares none."""
        until_ms = end_ms if self.end_ms is None else min(self.end_ms, end_ms)
        return max(self.first_ms, first_ms) < until_ms


@dataclass(frozen=True, kw_only=True)
class Period:
    """One billing period. `days` is None where nothing is prorated (fixed length)."""

    first_ms: int
    end_ms: int
    days: int | None


@dataclass(frozen=True, kw_only=True)
class CalendarMonths:
    """Months of the calendar in `zone`."""

    zone: ZoneInfo

    def at(self, at_ms: int) -> Period:
        """The period that a moment lies in."""
        first = day_of(at_ms, self.zone).replace(day=1)
        following = (first + timedelta(days=31)).replace(day=1)
        first_ms, end_ms = day_start_ms(first, self.zone), day_start_ms(following, self.zone)
        # By the clock: a zone that changes sides of the date line leaves out a day.
        return Period(first_ms=first_ms, end_ms=end_ms, days=round((end_ms - first_ms) / _DAY_MS))


@dataclass(frozen=True, kw_only=True)
class FixedLength:
    """Periods of `length_ms`, one of which begins at `anchor_ms`; `zone` is that of its days."""

    anchor_ms: int
    length_ms: int
    zone: ZoneInfo

    def at(self, at_ms: int) -> Period:
        """The period that a moment lies in."""
        first_ms = at_ms - (at_ms - self.anchor_ms) % self.length_ms
        return Period(first_ms=first_ms, end_ms=first_ms + self.length_ms, days=None)


Schedule = CalendarMonths | FixedLength


def day_of(at_ms: int, zone: ZoneInfo) -> date:
    """The calendar day of a moment."""
    return (
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).astimezone(zone).date()
    )


def day_start_ms(day: date, zone: ZoneInfo) -> int:
    """When a day begins: midnight, or the end of the gap where clocks jump over midnight."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return round(midnight.timestamp()) * 1000


def days_between(first_ms: int, end_ms: int, zone: ZoneInfo) -> Iterator[date]:
    """Each calendar day that `[first_ms, end_ms)` touches, in order."""
    day = day_of(first_ms, zone)
    while first_ms < end_ms and day_start_ms(day, zone) < end_ms:
        yield day
        day += timedelta(days=1)


def active_days(
    spans: tuple[Span, ...], first_ms: int, end_ms: int, zone: ZoneInfo
) -> tuple[date, ...]:
    """The days of `[first_ms, end_ms)` on which a span was active, at whatever moment."""
    return tuple(
        day
        for day in days_between(first_ms, end_ms, zone)
        if any(
            span.meets(
                max(first_ms, day_start_ms(day, zone)),
                min(end_ms, day_start_ms(day + timedelta(days=1), zone)),
            )
            for span in spans
        )
    )
