"""Held: subscriptions whose delivery topics cannot be written, and until when they are left alone.

What they are entitled to meanwhile is named `undeliverable` in the segments: counted, not billed.
"""

from collections.abc import Collection, Sequence

from broker.alarms import clear_alarm, raise_alarm
from broker.flow.batch import Metered

_KIND = "undeliverable"


class Held:
    """Held-back subscriptions by id, with the monotonic time of the next attempt."""

    def __init__(self) -> None:
        self._until_s: dict[str, float] = {}

    @property
    def subscriptions(self) -> frozenset[str]:
        """Their ids."""
        return frozenset(self._until_s)

    def hold(self, subscription: str, why: str, *, until_s: float) -> None:
        """Hold it back until then, with an alarm."""
        self._until_s[subscription] = until_s
        raise_alarm(_KIND, subscription, why)

    def due(self, now_s: float) -> list[str]:
        """Those whose time has come."""
        return sorted(s for s, until_s in self._until_s.items() if until_s <= now_s)

    def release(self, subscriptions: Collection[str]) -> None:
        """Deliver to them again; the alarm stands until a delivery has been committed."""
        for subscription in subscriptions:
            del self._until_s[subscription]

    def committed(self, metered: Sequence[Metered]) -> None:
        """Take back the alarms of subscriptions that were delivered to."""
        for one in metered:
            for delivery in one.segment.deliveries:
                clear_alarm(_KIND, delivery.subscription)
