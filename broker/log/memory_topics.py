"""Topics in memory: partition logs whose records know their transaction.

A transaction's marker occupies an offset, as in Kafka. Records are never changed; whether one is
visible follows from the state of its transaction.
"""

from dataclasses import dataclass, field
from enum import Enum

from broker.log.ports import Committed, Headers, Offsets, TopicPartition


class State(Enum):
    """Of a transaction, and so of its records."""

    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"


@dataclass(slots=True, eq=False)
class Transaction:
    """One transaction: the partitions it wrote to and the group offsets it carries."""

    transactional_id: str
    epoch: int
    state: State = State.OPEN
    partitions: dict[TopicPartition, "PartitionLog"] = field(default_factory=dict)
    offsets: dict[tuple[str, TopicPartition], Committed] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """What stands at one offset: a record, or the marker that ends a transaction there.

    `transaction` is None for records of a producer without transactions.
    """

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None
    transaction: Transaction | None
    marker: bool = False

    @property
    def state(self) -> State:
        """Committed, aborted or open; a record outside transactions is committed."""
        return State.COMMITTED if self.transaction is None else self.transaction.state


class PartitionLog:
    """The entries of one partition, from its start on."""

    def __init__(self) -> None:
        self.start = 0
        self.entries: list[Entry] = []
        self.unreadable: set[int] = set()
        self._open: dict[int, tuple[Transaction, int]] = {}  # id(transaction) -> it, first offset

    @property
    def high_watermark(self) -> int:
        """The offset that the next entry gets."""
        return self.start + len(self.entries)

    @property
    def last_stable(self) -> int:
        """Where the earliest open transaction begins, or the high watermark."""
        return min((first for _, first in self._open.values()), default=self.high_watermark)

    def offsets(self, *, committed: bool) -> Offsets:
        """Log start, and the end that a committed or uncommitted reader sees."""
        return Offsets(self.start, self.last_stable if committed else self.high_watermark)

    def append(
        self,
        timestamp_ms: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None,
        transaction: Transaction | None,
    ) -> int:
        """Append one record; gives its offset."""
        offset = self.high_watermark
        if transaction is not None:
            self._open.setdefault(id(transaction), (transaction, offset))
        self.entries.append(Entry(offset, timestamp_ms, key, value, headers, transaction))
        return offset

    def end(self, transaction: Transaction, timestamp_ms: int) -> None:
        """Append the marker that ends the transaction here."""
        self._open.pop(id(transaction), None)
        self.entries.append(
            Entry(self.high_watermark, timestamp_ms, None, None, None, transaction, marker=True)
        )

    def trim(self, start: int) -> None:
        """Drop what lies below `start`, as retention does."""
        dropped = max(0, min(start, self.high_watermark) - self.start)
        self.entries = self.entries[dropped:]
        self.start += dropped

    def visible(
        self, first_offset: int, *, records_max: int, committed: bool
    ) -> tuple[list[Entry], int, int | None]:
        """Records that a reader at `first_offset` gets.

        Returns:
            The records; where reading goes on (past markers and aborted records, at the end or
            behind the last record where `records_max` cut); the offset of an unreadable record
            that stopped it, or None.
        """
        end = self.last_stable if committed else self.high_watermark
        found: list[Entry] = []
        at = first_offset
        while at < end:
            if len(found) == records_max:
                return found, found[-1].offset + 1 if found else first_offset, None
            entry = self.entries[at - self.start]
            if not entry.marker and (not committed or entry.state is State.COMMITTED):
                if at in self.unreadable:
                    return found, at, at
                found.append(entry)
            at += 1
        return found, at, None


@dataclass(slots=True, eq=False)
class Topic:
    """One topic: a name that lives once per id."""

    topic_id: str
    partitions: list[PartitionLog]
    append_time: bool
    writable: bool = True
