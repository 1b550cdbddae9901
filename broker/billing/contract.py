"""Contracts: what billing must know of one subscription, whoever stores it.

pinned v1 ────────────┐ pinned v2 ─────────────────────▶
Monday   Tuesday   Wednesday   Thursday
[   term of v1    )[   term of v2 …                        the day of change is the new version's
"""

from collections.abc import Iterator
from dataclasses import dataclass

from broker.billing.periods import Period, Schedule, Span, day_of, day_start_ms
from broker.billing.price import Price


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A plan version, pinned at `at_ms`; billed under it up to `billed_ms`, 0 for not at all."""

    plan: str
    version: int
    at_ms: int
    price: Price
    schedule: Schedule
    billed_ms: int = 0


@dataclass(frozen=True, kw_only=True)
class Term:
    """The time in which a pin holds; `end_ms` None: still.

    It ends with the day before the next pin's, or where it was billed already on that day
    (`day_end_ms` is the end of its last day). The first term has no beginning (`first_ms` 0): what
    a subscription was delivered of records older than itself, because a router lagged, is billed
    in its first period too.
    """

    pin: Pin
    first_ms: int
    end_ms: int | None
    day_end_ms: int | None


@dataclass(frozen=True, kw_only=True)
class Contract:
    """One subscription. `pins` and `active` in order of time.

    `ended_seq`: of the control event that revoked or expired it; None while it lives. No usage can
    come after a segment that was made under that seq or later.
    """

    subscription: str
    product: str
    buyer: str
    seller: str
    pins: tuple[Pin, ...]
    active: tuple[Span, ...]
    ended_seq: int | None = None

    @property
    def opening_ms(self) -> int:
        """When the subscription became active for the first time."""
        return self.pins[0].at_ms

    def period_at(self, term: Term, at_ms: int) -> Period:
        """The period that usage of a moment is billed in: none lies before the first."""
        return term.pin.schedule.at(max(at_ms, self.opening_ms))

    def terms(self) -> Iterator[Term]:
        """Each pin's time, without those that were replaced on the day they began."""
        days = [
            day_start_ms(day_of(pin.at_ms, pin.schedule.zone), pin.schedule.zone)
            for pin in self.pins
        ]
        starts = [0]
        for pin, next_day_ms in zip(self.pins, days[1:], strict=False):
            start_ms = max(starts[-1], next_day_ms, pin.billed_ms)
            # Replaced on the day it began: the next one is the first in its stead.
            starts.append(start_ms if start_ms > self.opening_ms else 0)
        for i, pin in enumerate(self.pins):
            last = i + 1 == len(self.pins)
            end_ms = None if last else starts[i + 1]
            if end_ms is None or starts[i] < end_ms:
                yield Term(
                    pin=pin,
                    first_ms=starts[i],
                    end_ms=end_ms,
                    day_end_ms=None if last else days[i + 1],
                )
