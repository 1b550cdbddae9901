"""Billing periods and days, in zones that make it hard."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.billing.periods import (
    CalendarMonths,
    FixedLength,
    Span,
    active_days,
    day_of,
    day_start_ms,
)

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    BERLIN,
    ZoneInfo("UTC"),
    ZoneInfo("America/St_Johns"),  # half an hour off
    ZoneInfo("Asia/Kathmandu"),  # three quarters
    ZoneInfo("Africa/Cairo"),  # clocks jump over midnight
    ZoneInfo("Pacific/Kiritimati"),  # 14 hours ahead
    ZoneInfo("America/Havana"),  # midnight comes twice
    ZoneInfo("Asia/Beirut"),  # clocks go back at midnight, to the day before
    ZoneInfo("Australia/Lord_Howe"),  # by half an hour
]
MOMENTS = st.integers(1_500_000_000_000, 2_000_000_000_000)


def ms(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp() * 1000)


@pytest.mark.parametrize(
    ("at", "first", "end", "days"),
    [
        ("2026-01-31T23:30+01:00", "2026-01-01T00:00+01:00", "2026-02-01T00:00+01:00", 31),
        ("2026-01-31T23:30+00:00", "2026-02-01T00:00+01:00", "2026-03-01T00:00+01:00", 28),
        ("2026-03-29T03:00+02:00", "2026-03-01T00:00+01:00", "2026-04-01T00:00+02:00", 31),
        ("2024-02-29T12:00+01:00", "2024-02-01T00:00+01:00", "2024-03-01T00:00+01:00", 29),
        ("2026-12-31T23:59+01:00", "2026-12-01T00:00+01:00", "2027-01-01T00:00+01:00", 31),
    ],
)
def test_months_of_berlin(at: str, first: str, end: str, days: int) -> None:
    """A month runs from midnight to midnight of its zone, across a change of clocks too."""
    period = CalendarMonths(zone=BERLIN).at(ms(at))
    assert (period.first_ms, period.end_ms, period.days) == (ms(first), ms(end), days)


@settings(deadline=None)  # a busy machine is no failure
@given(at_ms=MOMENTS, zone=st.sampled_from(ZONES))
def test_periods_tile_time(at_ms: int, zone: ZoneInfo) -> None:
    """Every moment lies in its period, and the next one begins where that ends."""
    for schedule in (
        CalendarMonths(zone=zone),
        FixedLength(anchor_ms=1_700_000_000_123, length_ms=45_000, zone=zone),
    ):
        period = schedule.at(at_ms)
        assert period.first_ms <= at_ms < period.end_ms
        assert schedule.at(period.first_ms) == period
        assert schedule.at(period.end_ms).first_ms == period.end_ms


@settings(deadline=None)  # a busy machine is no failure
@given(at_ms=MOMENTS, zone=st.sampled_from(ZONES))
def test_a_moment_lies_in_its_day(at_ms: int, zone: ZoneInfo) -> None:
    """A day begins at or before each of its moments, on a quarter hour."""
    start_ms = day_start_ms(day_of(at_ms, zone), zone)
    assert start_ms <= at_ms
    assert start_ms % (15 * 60 * 1000) == 0
    assert day_of(start_ms, zone) == day_of(at_ms, zone)


def test_a_day_without_midnight() -> None:
    """Where clocks jump from 00:00 to 01:00 the day begins with the jump."""
    cairo = ZoneInfo("Africa/Cairo")
    start_ms = day_start_ms(date(2024, 4, 26), cairo)
    assert datetime.fromtimestamp(start_ms / 1000, tz=UTC) == datetime(2024, 4, 25, 22, tzinfo=UTC)


def test_a_zone_that_leaves_out_a_day() -> None:
    """Apia had no 30 December 2011: the month has 30 days, each active one is one of them."""
    apia = ZoneInfo("Pacific/Apia")
    period = CalendarMonths(zone=apia).at(ms("2011-12-15T00:00+00:00"))
    days = active_days((Span(first_ms=0),), period.first_ms, period.end_ms, apia)
    assert (period.days, len(days)) == (30, 30)
    assert date(2011, 12, 30) not in days


@pytest.mark.parametrize(
    ("spans", "days"),
    [
        ([], []),
        ([("2026-01-03T12:00+01:00", "2026-01-03T12:00+01:00")], []),  # suspended at once
        # Two machines' clocks: it ended before it began.
        ([("2026-01-03T12:00:01+01:00", "2026-01-03T12:00:00+01:00")], []),
        ([("2026-01-03T23:59:59+01:00", "2026-01-04T00:00:01+01:00")], [3, 4]),
        ([("2026-01-03T12:00+01:00", "2026-01-05T00:00+01:00")], [3, 4]),  # up to, not including
        ([("2025-01-01T00:00+01:00", "2026-01-01T00:00+01:00")], []),
        ([("2026-01-30T12:00+01:00", None)], [30, 31]),
        (
            [
                ("2026-01-02T01:00+01:00", "2026-01-02T02:00+01:00"),
                ("2026-01-02T03:00+01:00", "2026-01-02T04:00+01:00"),
            ],
            [2],  # a day counts once
        ),
    ],
)
def test_active_days(spans: list[tuple[str, str | None]], days: list[int]) -> None:
    """A day counts whole when a span was active at any moment of it."""
    active = tuple(
        Span(first_ms=ms(first), end_ms=None if end is None else ms(end)) for first, end in spans
    )
    january = (ms("2026-01-01T00:00+01:00"), ms("2026-02-01T00:00+01:00"))
    assert [day.day for day in active_days(active, *january, BERLIN)] == days
