"""The port to Kafka: what the data plane, the ledger and the recount need of a log.

Two implementations, `kafka.py` (confluent-kafka) and `memory.py`, pass one contract suite
(`tests/contract/`). Records travel in columns: one value holds a run of records of one partition,
so that a batch of 25,000 costs no object a record. Every call that can wait has a deadline.

Call everything of one consumer and producer from one thread (the lane's): callbacks run there too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Headers = Sequence[tuple[str, bytes | None]]

# A transaction that stands still longer is aborted by the broker, and its producer fenced.
TRANSACTION_TIMEOUT_S = 15.0


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Records:
    """Columns of equal length, in offset order, of one partition.

    `timestamps_ms`: append time for source topics (LogAppendTime), ms since 1970 UTC. `headers`:
    None where a record has none. In records to be produced, offsets are those of the source.
    """

    offsets: Sequence[int]
    timestamps_ms: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers | None]

    def __len__(self) -> int:
        return len(self.offsets)

    def take(self, indexes: Sequence[int]) -> "Records":
        """The records at these indexes, in that order."""
        return Records(
            [self.offsets[i] for i in indexes],
            [self.timestamps_ms[i] for i in indexes],
            [self.keys[i] for i in indexes],
            [self.values[i] for i in indexes],
            [self.headers[i] for i in indexes],
        )

    def slice(self, first: int, stop: int) -> "Records":
        """The records with index in [first, stop)."""
        return Records(
            self.offsets[first:stop],
            self.timestamps_ms[first:stop],
            self.keys[first:stop],
            self.values[first:stop],
            self.headers[first:stop],
        )


EMPTY = Records((), (), (), (), ())


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one poll brought for one partition.

    `next_offset`: where reading goes on after these records. `at_end`: the partition's end (its
    last stable offset) was reported at `next_offset`, transaction markers included; a consumer
    reports each end once, possibly one poll after the records before it, and again after a seek.
    `position`: the offset that reading began at, -1 where the client does not say.
    `unreadable_at`: the offset of a record that cannot be decompressed, or has a header name that
    is no UTF-8; reading stops before it until the caller seeks past.
    """

    partition: TopicPartition
    records: Records
    next_offset: int
    at_end: bool = False
    unreadable_at: int | None = None
    position: int = -1


@dataclass(frozen=True, slots=True)
class Committed:
    """A group's committed offset and the string committed with it."""

    offset: int
    metadata: str


@dataclass(frozen=True, slots=True)
class Offsets:
    """Of one partition: where its log starts, and the last stable offset."""

    start: int
    last_stable: int


class GroupMetadata(Protocol):
    """Opaque: the group generation a batch was polled under. Keep it with the batch."""


class Assignment(Protocol):
    """Told of the group's decisions, inside `poll`, on the caller's thread."""

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where to read each of them from; one left out is paused until `seek` and `resume`.

        If this raises, the consumer polls no more: rebuild it.
        """

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Finish or abort what is in flight for them; bounded by the implementation's deadline.

        They still belong to this member: a commit here is accepted.
        """

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        """They belong to somebody else already: abort."""


class Consumer(Protocol):
    """Reads committed records of partitions that a group assigns."""

    def subscribe(self, topics: Sequence[str], assignment: Assignment) -> None:
        """Join the group for these topics; calling again changes the list."""

    def poll(self, *, records_max: int, timeout_s: float) -> list[Fetched]:
        """What has arrived within `timeout_s`, per partition, possibly nothing.

        Each partition appears at most once. A poll that loses the group's assignment tells
        `Assignment` and returns nothing of those partitions.

        Raises:
            OffsetOutOfRangeError: once for a partition; the others go on, it waits for a seek.
            FencedError: the group's coordinator or the client gave up for good.
            LogError: among others, that the credentials were refused.
        """

    def group_metadata(self) -> GroupMetadata:
        """Of the present assignment. Take it when a batch is polled, never when it is committed."""

    def committed(
        self, partitions: Sequence[TopicPartition], *, timeout_s: float
    ) -> dict[TopicPartition, Committed]:
        """Committed offsets; a partition without one is absent.

        Raises:
            LogTimeoutError: among others while a transaction that holds offsets of them is open;
                ask again until the transaction timeout has passed.
        """

    def offsets(self, partition: TopicPartition, *, timeout_s: float) -> Offsets:
        """Log start and last stable offset, asked of the broker now."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read this partition on from here; what was fetched ahead is dropped."""

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Deliver nothing of these until resumed; membership stays."""

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Undo `pause`."""

    def close(self, *, timeout_s: float) -> None:
        """Leave the group; gives up (and says so in the log) after `timeout_s`."""


class Receipt(Protocol):
    """Where a produced record went, known after `flush`."""

    @property
    def offset(self) -> int:
        """Its offset.

        Raises:
            LogError: the record failed, or has not been reported on yet.
        """


class Producer(Protocol):
    """A transactional producer, or with no transactional id an idempotent one."""

    def init_transactions(self, *, timeout_s: float) -> None:
        """Fence older owners of the transactional id and end what they left open."""

    def begin(self) -> None:
        """Open a transaction."""

    def send(self, topic: str, partition: int, records: Records, *, timeout_s: float) -> None:
        """Queue records with their timestamps; `timeout_s` bounds the wait for room.

        Raises:
            TopicUnwritableError: this topic cannot be written; nothing taints the transaction,
                the caller must abort it.
            LogAbortableError: an earlier record of this transaction failed meanwhile.
            FencedError: the producer has been displaced, or failed for good.
            LogTimeoutError: no room in time.
        """

    def send_one(
        self, topic: str, partition: int, *, key: bytes | None, value: bytes, timeout_s: float
    ) -> Receipt:
        """Queue one record whose offset the caller needs; raises what `send` does."""

    def unwritable(self, topics: Sequence[str], *, timeout_s: float) -> list[str]:
        """Which of these topics this producer cannot write, after a commit that named none.

        By what its records failed with and by the cluster's metadata: deleted, recreated under
        the same name, or no longer permitted.
        """

    def flush(self, *, timeout_s: float) -> None:
        """Wait until all that was queued is reported on.

        Raises:
            LogTimeoutError: not all within `timeout_s`.
        """

    def send_offsets(
        self,
        offsets: Mapping[TopicPartition, Committed],
        group: GroupMetadata,
        *,
        timeout_s: float,
    ) -> None:
        """Add the group's offsets, with metadata, to the transaction.

        Raises:
            LogAbortableError: the group metadata is stale, or a metadata string is longer than
                4,095 bytes.
            FencedError, LogTimeoutError: rebuild the clients.
        """

    def commit(self, *, timeout_s: float) -> None:
        """Make all of the transaction visible.

        Raises:
            LogAbortableError: abort it; ask `unwritable` where a topic may be the reason.
            FencedError, LogTimeoutError: rebuild the clients.
        """

    def abort(self, *, timeout_s: float) -> None:
        """Drop the transaction. Flush first: an abort with records in flight can turn fatal."""

    def close(self, *, timeout_s: float) -> None:
        """Let go of the clients; bounded."""


class Reader(Protocol):
    """Reads partitions by hand, outside any group."""

    def read(
        self,
        partition: TopicPartition,
        first_offset: int,
        *,
        records_max: int,
        timeout_s: float,
    ) -> Fetched:
        """Records from `first_offset` on, at most `records_max`, until the end or `timeout_s`.

        `at_end` says that the end as of the call was reached. Going on where the last read of the
        same partition ended costs no seek.

        Raises:
            OffsetOutOfRangeError: the log does not hold `first_offset`.
        """

    def offsets(self, partition: TopicPartition, *, timeout_s: float) -> Offsets:
        """Log start and end (last stable offset, or high watermark if it reads uncommitted)."""

    def partitions(self, topic: str, *, timeout_s: float) -> int:
        """How many partitions the topic has; 0 where it does not exist."""

    def topic_ids(self, topics: Sequence[str], *, timeout_s: float) -> dict[str, str]:
        """UUID (canonical form) of each topic that exists."""

    def beside(self) -> "Reader":
        """Another reader of the same kind, to be read in turn with this one in the same thread.

        Each keeps its place; what they can share they do. Close it too.
        """

    def close(self) -> None:
        """Let go of the client."""


class Log(Protocol):
    """Makes clients. One an exchange; `kafka.KafkaLog` and `memory.MemoryLog`."""

    def consumer(self, group: str, *, instance: str) -> Consumer:
        """A member of `group` (KIP-848) that reads committed records."""

    def producer(self, *, transactional_id: str | None) -> Producer:
        """A producer; with an id, call `init_transactions` before the first `begin`."""

    def reader(self, *, committed: bool) -> Reader:
        """A reader; `committed` False sees records of open and aborted transactions too."""
