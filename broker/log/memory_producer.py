"""A producer in memory: appends at once, reports at `flush`, fails as librdkafka does."""

from collections.abc import Mapping, Sequence

from broker.errors import FencedError, LogAbortableError, LogError, TopicUnwritableError
from broker.log.memory_broker import Broker, verb
from broker.log.memory_group import MemoryGroupMetadata
from broker.log.memory_topics import State, Transaction
from broker.log.ports import Committed, GroupMetadata, Headers, Records, TopicPartition

METADATA_MAX_BYTES = 4095  # Kafka's offset.metadata.max.bytes refuses 4,096


class MemoryReceipt:
    """Implements `ports.Receipt`."""

    def __init__(self) -> None:
        self._offset: int | None = None

    @property
    def offset(self) -> int:
        """The record's offset, once flushed."""
        if self._offset is None:
            raise LogError("the record failed, or has not been reported on yet")
        return self._offset

    def report(self, offset: int) -> None:
        """Called by the producer when it is flushed."""
        self._offset = offset


class MemoryProducer:
    """Implements `ports.Producer`."""

    def __init__(self, broker: Broker, transactional_id: str | None) -> None:
        self.broker = broker
        self.name = broker.client_name(transactional_id or "idempotent")
        self.alive = True
        self._id = transactional_id
        self._epoch = -1
        self._begun = False
        self._in_flight = False
        self._must_abort: str | None = None
        self._topic_ids: dict[str, str] = {}
        self._failed: set[str] = set()
        self._receipts: list[tuple[MemoryReceipt, int]] = []

    @verb
    def init_transactions(self, *, timeout_s: float) -> None:  # noqa: ARG002  never waits
        """Fence older owners and end what they left open."""
        self._epoch = self.broker.init(self._transactional_id())

    @verb
    def begin(self) -> None:
        """Open a transaction; the broker learns of it with the first record."""
        if self._begun:
            raise LogError(f"{self.name}: begin in a transaction that has not ended")
        if self._epoch < 0:
            raise LogError(f"{self.name}: begin before init_transactions")
        self._begun = True

    @verb
    def send(self, topic: str, partition: int, records: Records, *, timeout_s: float) -> None:  # noqa: ARG002  there is always room
        """Append records, uncommitted."""
        rows = zip(
            records.timestamps_ms, records.keys, records.values, records.headers, strict=True
        )
        self._append(TopicPartition(topic, partition), list(rows))

    @verb
    def send_one(
        self,
        topic: str,
        partition: int,
        *,
        key: bytes | None,
        value: bytes,
        timeout_s: float,  # noqa: ARG002  there is always room
    ) -> MemoryReceipt:
        """Append one record; its offset is told at `flush`."""
        receipt = MemoryReceipt()
        offset = self._append(TopicPartition(topic, partition), [(None, key, value, None)])
        if offset is not None:
            self._receipts.append((receipt, offset))
        return receipt

    @verb
    def unwritable(self, topics: Sequence[str], *, timeout_s: float) -> list[str]:  # noqa: ARG002  never waits
        """Those whose records failed, and those that cannot be written now."""
        return [topic for topic in topics if topic in self._failed or self._refusal(topic)]

    @verb
    def flush(self, *, timeout_s: float) -> None:  # noqa: ARG002  never waits
        """Report on everything sent."""
        for receipt, offset in self._receipts:
            receipt.report(offset)
        self._receipts.clear()
        self._in_flight = False

    @verb
    def send_offsets(
        self,
        offsets: Mapping[TopicPartition, Committed],
        group: GroupMetadata,
        *,
        timeout_s: float,  # noqa: ARG002  never waits
    ) -> None:
        """Add the group's offsets to the transaction."""
        self._check_clean()
        if not isinstance(group, MemoryGroupMetadata):
            raise LogError(f"{self.name}: group metadata of another log")
        try:
            for partition, committed in offsets.items():
                _check_metadata(partition, committed.metadata)
            self.broker.add_offsets(self._transactional_id(), self._epoch, group, offsets)
        except LogAbortableError as error:
            self._must_abort = str(error)
            raise

    @verb
    def commit(self, *, timeout_s: float) -> None:  # noqa: ARG002  never waits
        """Make the transaction visible."""
        self._check_clean()
        self.broker.end(self._transactional_id(), self._epoch, State.COMMITTED)
        self._ended()

    @verb
    def abort(self, *, timeout_s: float) -> None:  # noqa: ARG002  never waits
        """Drop the transaction.

        Raises:
            FencedError: also where records were in flight. Kafka's abort turns fatal then only in
                some runs; here always, so that a missing flush cannot hide.
        """
        if not self._begun:
            raise LogError(f"{self.name}: no transaction is open")
        if self._in_flight:
            raise FencedError(f"{self.name}: abort without flush")
        self.broker.end(self._transactional_id(), self._epoch, State.ABORTED)
        self._ended()

    def close(self, *, timeout_s: float) -> None:  # noqa: ARG002  never waits
        """Let go; an open transaction stays open until it expires or its id is taken over."""
        self.alive = False

    def _transactional_id(self) -> str:
        if self._id is None:
            raise LogError(f"{self.name}: has no transactional id")
        return self._id

    def _check_clean(self) -> None:
        if not self._begun:
            raise LogError(f"{self.name}: no transaction is open")
        if self._must_abort:
            raise LogAbortableError(f"{self.name}: abort first: {self._must_abort}")

    def _ended(self) -> None:
        self._begun = False
        self._in_flight = False
        self._must_abort = None
        self._receipts.clear()

    def _refusal(self, topic: str) -> str | None:
        """Why this topic cannot be written; a name that was recreated stays unknown."""
        known = self.broker.topics.get(topic)
        if known is None or self._topic_ids.get(topic, known.topic_id) != known.topic_id:
            return "unknown topic"
        return None if known.writable else "not authorised"

    def _append(
        self,
        at: TopicPartition,
        rows: Sequence[tuple[int | None, bytes | None, bytes | None, Headers | None]],
    ) -> int | None:
        """The last offset, or None where the records failed after they were queued.

        A topic that has just become unwritable fails in the background, as in librdkafka: the
        transaction is tainted, and the next send to it raises at once.
        """
        if self._must_abort:
            raise LogAbortableError(f"{self.name}: abort first: {self._must_abort}")
        why = self._refusal(at.topic)
        if why is not None:
            if at.topic in self._failed or at.topic not in self._topic_ids:
                self._failed.add(at.topic)
                raise TopicUnwritableError(at.topic, why)
            self._failed.add(at.topic)
            self._must_abort = "a record failed"
            return None
        if at.partition >= len(self.broker.topics[at.topic].partitions):
            raise TopicUnwritableError(at.topic, f"unknown partition {at.partition}")
        self._failed.discard(at.topic)
        self._topic_ids[at.topic] = self.broker.topics[at.topic].topic_id
        transaction = self._transaction()
        offset = None
        for row in rows:
            offset = self.broker.append(at, row, transaction)
            self._in_flight = True
        return offset

    def _transaction(self) -> Transaction | None:
        if self._id is None:
            return None
        if not self._begun:
            raise LogError(f"{self.name}: send outside a transaction")
        return self.broker.transaction(self._id, self._epoch)


def _check_metadata(partition: TopicPartition, metadata: str) -> None:
    if len(metadata.encode()) > METADATA_MAX_BYTES:
        raise LogAbortableError(
            f"{partition.topic}[{partition.partition}]: offset metadata is longer than "
            f"{METADATA_MAX_BYTES} bytes"
        )
