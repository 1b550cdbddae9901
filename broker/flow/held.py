"""Held: subscriptions whose delivery topics cannot be written, and until when they are left alone.

What they are entitled to meanwhile is named `undeliverable` in the segments: counted, not billed.
Each failure in a row doubles the pause, since trying again costs new clients.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from broker.alarms import clear_alarm, raise_alarm
from broker.flow.batch import Metered

_KIND = "undeliverable"
_DOUBLINGS_MAX = 6


@dataclass(frozen=True, slots=True)
class _Hold:
    topic: str
    failures: int
    until_s: float


class Held:
    """Held-back subscriptions by id. `pause_s`: before the first new attempt."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._held: dict[str, _Hold] = {}
        self._failures: dict[str, int] = {}

    @property
    def subscriptions(self) -> frozenset[str]:
        """Their ids."""
        return frozenset(self._held)

    def hold(self, subscription: str, topic: str, why: str, *, now_s: float) -> None:
        """Hold it back for a while, with an alarm."""
        failures = self._failures.get(subscription, 0)
        self._failures[subscription] = failures + 1
        pause_s = self._pause_s * 2 ** min(failures, _DOUBLINGS_MAX)
        self._held[subscription] = _Hold(topic, failures, now_s + pause_s)
        raise_alarm(_KIND, subscription, why)

    def retry(self, exists: Callable[[str], bool], *, now_s: float) -> bool:
        """Release those whose time has come and whose topic exists; whether any was released."""
        released = False
        for subscription, hold in list(self._held.items()):
            if hold.until_s > now_s:
                continue
            if exists(hold.topic):
                del self._held[subscription]
                released = True
            else:
                self._held[subscription] = _Hold(hold.topic, hold.failures, now_s + self._pause_s)
        return released

    def committed(self, metered: Sequence[Metered]) -> None:
        """Take back the alarms of subscriptions that were delivered to."""
        for one in metered:
            for delivery in one.segment.deliveries:
                if self._failures.pop(delivery.subscription, 0):
                    clear_alarm(_KIND, delivery.subscription)
