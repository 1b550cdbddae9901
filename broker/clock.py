"""Time, passed in: rules and steps take `now`, processes hold a clock, tests hold their own."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time and monotonic time."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""

    def now(self) -> datetime:
        """The same as an aware datetime, UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, for deadlines and ages."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000

    def now(self) -> datetime:
        """An aware datetime, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()
