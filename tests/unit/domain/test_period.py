"""Billing periods, read strictly."""

from typing import Any

import pytest

from broker.domain.period import CalendarMonth, FixedLength, parse_period
from broker.errors import InvalidFieldError

DAY_MS = 24 * 60 * 60 * 1000


@pytest.mark.parametrize(
    ("value", "period", "longest_ms"),
    [
        ({"length_s": 60}, FixedLength(60), 60_000),
        (
            {"calendar": "month", "time_zone": "Europe/Berlin"},
            CalendarMonth("Europe/Berlin"),
            31 * DAY_MS,
        ),
    ],
)
def test_what_a_period_is(value: Any, period: Any, longest_ms: int) -> None:
    """A period is read into a value that knows its longest, and can be written again."""
    assert parse_period(value) == period
    assert period.longest_ms == longest_ms
    assert period.to_json() == value


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({}, "period"),
        ({"length_s": 60, "time_zone": "UTC"}, "period"),
        ({"length_s": 4}, "period.length_s"),  # one too short
        ({"length_s": 2_678_401}, "period.length_s"),  # past 31 days
        ({"length_s": True}, "period.length_s"),
        ({"length_s": 60.0}, "period.length_s"),
        ({"calendar": "week", "time_zone": "UTC"}, "period.calendar"),
        ({"calendar": "month", "time_zone": "Europe/Nowhere"}, "period.time_zone"),
        ({"calendar": "month", "time_zone": "../../etc/passwd"}, "period.time_zone"),
        ({"calendar": "month", "time_zone": "/etc/localtime"}, "period.time_zone"),
        ({"calendar": "month", "time_zone": "Europe"}, "period.time_zone"),  # a directory
        ({"calendar": "month", "time_zone": ""}, "period.time_zone"),
        ({"calendar": "month", "time_zone": "a" * 65}, "period.time_zone"),
        ({"calendar": "month", "time_zone": 1}, "period.time_zone"),
    ],
)
def test_what_a_period_is_not(value: Any, field: str) -> None:
    """What cannot be a period is refused by its field."""
    with pytest.raises(InvalidFieldError) as refused:
        parse_period(value)
    assert refused.value.field == field
