"""Calendar: days and billing periods, from a plan's period document.

    {"calendar": "month", "time_zone": …}   first to first of the month, midnight in the zone
    {"length_s": …}                         anchor + k * length, never prorated

Every range is half-open, ms since 1970 UTC.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 24 * 60 * 60 * 1000


class Period(NamedTuple):
    """One billing period. `days`: how many calendar days; None where nothing is prorated."""

    first_ms: int
    end_ms: int
    days: int | None


@dataclass(frozen=True, slots=True)
class Calendar:
    """Periods and days of one plan version. `length_ms` None: calendar months in `zone`."""

    zone: ZoneInfo
    length_ms: int | None
    anchor_ms: int

    @classmethod
    def of(cls, period: Mapping[str, Any], anchor_ms: int) -> "Calendar":
        """Read the document; periods of a fixed length count from `anchor_ms`."""
        if "length_s" in period:
            return cls(ZoneInfo("UTC"), int(period["length_s"]) * 1000, anchor_ms)
        return cls(ZoneInfo(period["time_zone"]), None, 0)

    def period(self, at_ms: int) -> Period:
        """The period that a moment lies in."""
        if self.length_ms is not None:
            first_ms = at_ms - (at_ms - self.anchor_ms) % self.length_ms
            return Period(first_ms, first_ms + self.length_ms, None)
        day = self.day(at_ms)
        year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)  # noqa: PLR2004  December
        first_ms, end_ms = self.start_ms(day.replace(day=1)), self.start_ms(date(year, month, 1))
        # Days that there were: a zone that crosses the date line leaves one out.
        return Period(first_ms, end_ms, (end_ms - first_ms + _DAY_MS // 2) // _DAY_MS)

    def day(self, at_ms: int) -> date:
        """The day that a moment lies in."""
        return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(self.zone).date()

    def start_ms(self, day: date) -> int:
        """When a day begins."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return int(midnight.timestamp()) * 1000

    def days(
        self, spans: Iterable[tuple[int, int | None]], first_ms: int, end_ms: int
    ) -> set[date]:
        """Days of `[first_ms, end_ms)` that one of the spans touches."""
        touched: set[date] = set()
        for span_first_ms, span_end_ms in spans:
            at_ms = max(first_ms, span_first_ms)
            until_ms = end_ms if span_end_ms is None else min(end_ms, span_end_ms)
            while at_ms < until_ms:
                day = self.day(at_ms)
                touched.add(day)
                at_ms = self.start_ms(day + timedelta(days=1))
        return touched
