"""Periods and days of the recount's own calendar."""

from datetime import date, datetime

import pytest

from broker.verify.calendar import Calendar

BERLIN = {"calendar": "month", "time_zone": "Europe/Berlin"}
DAY_MS = 24 * 60 * 60 * 1000


def ms(at: str) -> int:
    """Milliseconds of an ISO moment."""
    return int(datetime.fromisoformat(at).timestamp() * 1000)


@pytest.mark.parametrize(
    ("at", "first", "end", "days"),
    [
        # a month with a day of 23 hours
        ("2026-03-29T12:00:00+00:00", "2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00", 31),
        # the first moment belongs to the month, in the zone and not in UTC
        ("2026-03-31T22:00:00+00:00", "2026-04-01T00:00:00+02:00", "2026-05-01T00:00:00+02:00", 30),
        ("2026-03-31T21:59:59+00:00", "2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00", 31),
        # over the turn of the year
        ("2026-12-31T12:00:00+00:00", "2026-12-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00", 31),
        # a leap year's February
        ("2028-02-29T12:00:00+00:00", "2028-02-01T00:00:00+01:00", "2028-03-01T00:00:00+01:00", 29),
    ],
)
def test_months(at: str, first: str, end: str, days: int) -> None:
    """Calendar months begin at midnight of the plan's time zone."""
    assert Calendar.of(BERLIN, 0).period(ms(at)) == (ms(first), ms(end), days)


@pytest.mark.parametrize(
    ("at_ms", "period"),
    [
        (1_000, (1_000, 61_000, None)),  # the anchor is a first moment
        (60_999, (1_000, 61_000, None)),
        (61_000, (61_000, 121_000, None)),  # an end belongs to the next
        (999, (-59_000, 1_000, None)),  # before the anchor they go on
    ],
)
def test_fixed_length(at_ms: int, period: tuple[int, int, None]) -> None:
    """Periods of a fixed length count from their anchor, and are never prorated."""
    assert Calendar.of({"length_s": 60}, 1_000).period(at_ms) == period


def test_days_that_spans_touch() -> None:
    """A day that is active for a moment counts; one that ends at its midnight does not."""
    calendar = Calendar.of(BERLIN, 0)
    spans = [
        (ms("2026-03-28T23:30:00+01:00"), ms("2026-03-30T00:00:00+02:00")),
        (ms("2026-04-02T10:00:00+02:00"), None),
    ]
    first, end = ms("2026-03-01T00:00:00+01:00"), ms("2026-04-03T00:00:00+02:00")
    assert calendar.days(spans, first, end) == {
        date(2026, 3, 28),
        date(2026, 3, 29),
        date(2026, 4, 2),
    }


def test_a_zone_that_leaves_out_a_day() -> None:
    """Apia had no 30 December 2011: the month has 30 days, each active one is one of them."""
    calendar = Calendar.of({"calendar": "month", "time_zone": "Pacific/Apia"}, 0)
    period = calendar.period(ms("2011-12-15T00:00:00+00:00"))
    days = calendar.days([(0, None)], period.first_ms, period.end_ms)
    assert (period.days, len(days)) == (30, 30)
    assert date(2011, 12, 30) not in days
