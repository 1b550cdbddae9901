"""Held: who cannot be written to, and until when they are left alone.

Subscriptions: what they are entitled to meanwhile is named `undeliverable` in the segments,
counted, not billed. Products whose quarantine topic cannot be written: they wait whole.
Each failure in a row doubles the pause, since trying again costs new clients.
"""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from broker.alarms import Alarm, clear_alarm, raise_alarm

_DOUBLINGS_MAX = 6


@dataclass(frozen=True, slots=True)
class _Hold:
    topic: str
    until_s: float


class Held:
    """Held back by id, each with an alarm of `kind`. `pause_s`: before the first new attempt."""

    def __init__(self, kind: Alarm, pause_s: float) -> None:
        self._kind = kind
        self._pause_s = pause_s
        self._held: dict[str, _Hold] = {}
        self._failures: dict[str, int] = {}

    @property
    def ids(self) -> frozenset[str]:
        """Who is held."""
        return frozenset(self._held)

    def hold(self, held_id: str, topic: str, why: str, *, now_s: float) -> None:
        """Hold it back for a while, with an alarm."""
        failures = self._failures.get(held_id, 0)
        self._failures[held_id] = failures + 1
        pause_s = self._pause_s * 2 ** min(failures, _DOUBLINGS_MAX)
        self._held[held_id] = _Hold(topic, now_s + pause_s)
        raise_alarm(self._kind, held_id, why)

    def keep(self, ids: AbstractSet[str]) -> None:
        """Forget all but these, with their alarms."""
        for held_id in self._held.keys() - ids:
            del self._held[held_id]
            clear_alarm(self._kind, held_id)
        for held_id in self._failures.keys() - ids:
            del self._failures[held_id]

    def retry(self, exists: Callable[[str], bool], *, now_s: float) -> bool:
        """Release those whose time has come and whose topic exists; whether any was released."""
        released = False
        for held_id, hold in list(self._held.items()):
            if hold.until_s > now_s:
                continue
            if exists(hold.topic):
                del self._held[held_id]
                clear_alarm(self._kind, held_id)
                released = True
            else:
                self._held[held_id] = _Hold(hold.topic, now_s + self._pause_s)
        return released

    def written(self, ids: Iterable[str]) -> None:
        """Forget the failures of these: what is theirs was written to."""
        for held_id in ids:
            self._failures.pop(held_id, None)
