"""Billing periods of a plan: calendar months in its time zone, or a fixed length."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from broker.errors import InvalidFieldError

DAY_MS = 24 * 60 * 60 * 1000
MONTH_LONGEST_MS = 31 * DAY_MS
LENGTH_MIN_S = 5
LENGTH_MAX_S = 31 * 24 * 60 * 60
_TIME_ZONE_LENGTH_MAX = 64


@dataclass(frozen=True, slots=True)
class CalendarMonth:
    """Months of the calendar, as days begin in `time_zone` (an IANA name)."""

    time_zone: str

    @property
    def longest_ms(self) -> int:
        """The longest that one can be."""
        return MONTH_LONGEST_MS

    def to_json(self) -> dict[str, Any]:
        """As `parse_period` reads it."""
        return {"calendar": "month", "time_zone": self.time_zone}


@dataclass(frozen=True, slots=True)
class FixedLength:
    """One after another from the subscription's activation, each `length_s` long."""

    length_s: int

    @property
    def longest_ms(self) -> int:
        """How long each is."""
        return self.length_s * 1000

    def to_json(self) -> dict[str, Any]:
        """As `parse_period` reads it."""
        return {"length_s": self.length_s}


Period = CalendarMonth | FixedLength


def parse_period(value: Mapping[str, Any], path: str = "period") -> Period:
    """Read `{"calendar": "month", "time_zone": "Europe/Berlin"}` or `{"length_s": 60}`.

    Raises:
        InvalidFieldError: names the field.
    """
    if set(value) == {"length_s"}:
        return FixedLength(_length(value["length_s"], f"{path}.length_s"))
    if set(value) == {"calendar", "time_zone"}:
        if value["calendar"] != "month":
            raise InvalidFieldError(
                f"{path}.calendar", f'must be "month", is {value["calendar"]!r}'
            )
        return CalendarMonth(_time_zone(value["time_zone"], f"{path}.time_zone"))
    raise InvalidFieldError(
        path,
        'must be {"calendar": "month", "time_zone": an IANA name} or {"length_s": seconds}, '
        f"has the fields {', '.join(sorted(value)) or 'none'}",
    )


def _length(value: Any, path: str) -> int:
    fits = isinstance(value, int) and not isinstance(value, bool)
    if not fits or not LENGTH_MIN_S <= value <= LENGTH_MAX_S:
        raise InvalidFieldError(
            path, f"must be whole seconds from {LENGTH_MIN_S} to {LENGTH_MAX_S}, is {value!r}"
        )
    return int(value)


def _time_zone(value: Any, path: str) -> str:
    """The name, if there is such a zone; read by its file, so `..` and the like are refused."""
    rule = f'must be an IANA time zone, e.g. "Europe/Berlin"; is {value!r}'
    if not isinstance(value, str) or len(value) > _TIME_ZONE_LENGTH_MAX or not value.isascii():
        raise InvalidFieldError(path, rule)
    try:
        return ZoneInfo(value).key
    except (KeyError, ValueError, OSError) as error:
        raise InvalidFieldError(path, rule) from error
