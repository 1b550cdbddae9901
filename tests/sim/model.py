"""The simulator's own word on the policy: who is active, which ids are known, what is refused.

Shares no code with the router: the rules stand here once more, in a few lines.
"""

from broker.log.memory import Entry

RECORD_MAX_BYTES = 1_000


def size_bytes(entry: Entry) -> int:
    """Billed bytes by the rule of docs/segment.md: key, value, header names and values."""
    named = entry.headers or ()
    parts = [entry.key, entry.value, *(n.encode() for n, _ in named), *(v for _, v in named)]
    return sum(len(part) for part in parts if part is not None)


class Model:
    """Policy by seq, as the simulator published it."""

    def __init__(self, topic: str, quarantine_topic: str) -> None:
        self.topic = topic
        self.quarantine_topic = quarantine_topic
        self.delivery_topics: dict[str, str] = {}
        self.concerned_seq = 0
        self._active: list[frozenset[str]] = [frozenset()]
        self._ids: list[frozenset[int]] = [frozenset()]

    def note(self, *, active: frozenset[str] | None = None, schema_id: int | None = None) -> None:
        """The next seq, with what changed."""
        self._active.append(self._active[-1] if active is None else active)
        if schema_id is None:
            self.concerned_seq = self.seq
        self._ids.append(self._ids[-1] | ({schema_id} if schema_id is not None else set()))

    @property
    def active(self) -> frozenset[str]:
        """Subscriptions active at the end of the control log."""
        return self._active[-1]

    @property
    def seq(self) -> int:
        """End of the control log."""
        return len(self._active) - 1

    def entitled(self, seq: int) -> frozenset[str]:
        """Who gets a valid record under this seq."""
        return self._active[seq]

    def reason(self, entry: Entry, seq: int) -> str | None:
        """Why the record is refused under this seq; None where it is valid."""
        value = entry.value
        if size_bytes(entry) > RECORD_MAX_BYTES:
            return "too-large"
        if value is None:
            return None
        if value == b"":
            return "empty-value"
        if value[:1] != b"\0":
            return "wrong-magic-byte"
        if len(value[:5]) < 5:
            return "truncated-header"
        known = int.from_bytes(value[1:5]) in self._ids[seq]
        return None if known else "unknown-schema-id"
