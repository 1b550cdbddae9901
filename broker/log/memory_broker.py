"""The broker behind the in-memory clients: topics, transactions, groups, and who interferes.

One thread, no clock and no randomness of its own. Clients call it; tests and the simulator reach
it through `MemoryLog`.
"""

import uuid
from collections.abc import Callable, Mapping
from enum import Enum
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast

from broker.errors import FencedError, LogError, LogTimeoutError, OffsetOutOfRangeError
from broker.log.memory_group import Group, MemoryGroupMetadata
from broker.log.memory_topics import PartitionLog, State, Topic, Transaction
from broker.log.ports import Committed, Headers, TopicPartition


class Outcome(Enum):
    """What becomes of one call of a client."""

    DONE = "done"
    REQUEST_LOST = "request lost"  # LogTimeoutError, nothing happened
    ANSWER_LOST = "answer lost"  # LogTimeoutError, though it happened


Interference = Callable[[str, str], Outcome]
"""Asked before every call of every client, with the client's name and the verb."""


class Client(Protocol):
    """What `verb` needs to know of a client."""

    name: str
    alive: bool
    broker: "Broker"


P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=Client)


def verb(method: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """A call that the interference may disturb, and that a killed client cannot make."""

    @wraps(method)
    def call(self: C, *args: P.args, **kwargs: P.kwargs) -> R:
        if not self.alive:
            raise FencedError(f"{self.name} was killed or closed")
        outcome = self.broker.interference(self.name, method.__name__)
        if outcome is Outcome.REQUEST_LOST:
            raise LogTimeoutError(f"{self.name}: {method.__name__}: request lost")
        result = method(self, *args, **kwargs)
        if outcome is Outcome.ANSWER_LOST:
            raise LogTimeoutError(f"{self.name}: {method.__name__}: answer lost")
        return result

    return cast("Callable[Concatenate[C, P], R]", call)


class Broker:
    """Holds the state of the cluster."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self.interference: Interference = lambda _client, _verb: Outcome.DONE
        self.topics: dict[str, Topic] = {}
        self.groups: dict[str, Group] = {}
        self._epochs: dict[str, int] = {}
        self._open: dict[str, Transaction] = {}
        self._created = 0
        self._clients = 0

    def client_name(self, kind: str) -> str:
        """A name for the next client, in the order of their making."""
        self._clients += 1
        return f"{kind}-{self._clients}"

    def create_topic(self, name: str, partitions: int, *, append_time: bool) -> str:
        """Create a topic; gives its id."""
        if name in self.topics:
            raise LogError(f"topic {name}: exists already")
        self._created += 1
        topic_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {self._created}"))
        logs = [PartitionLog() for _ in range(partitions)]
        self.topics[name] = Topic(topic_id, logs, append_time)
        self.rebalance()
        return topic_id

    def partition(self, at: TopicPartition) -> PartitionLog:
        """The log of one partition.

        Raises:
            LogError: there is none.
        """
        topic = self.topics.get(at.topic)
        if topic is None or not 0 <= at.partition < len(topic.partitions):
            raise LogError(f"topic {at.topic}, partition {at.partition}: unknown to the broker")
        return topic.partitions[at.partition]

    def check_range(self, at: TopicPartition, offset: int, end: int) -> None:
        """Refuse an offset below the log's start or beyond its end.

        Raises:
            OffsetOutOfRangeError: it is.
        """
        if not self.partition(at).start <= offset <= end:
            raise OffsetOutOfRangeError(at.topic, at.partition, offset)

    def group(self, name: str) -> Group:
        """The group, made when first named."""
        return self.groups.setdefault(name, Group(name))

    def rebalance(self) -> None:
        """Let every group see the topics as they are."""
        sizes = {name: len(topic.partitions) for name, topic in self.topics.items()}
        for group in self.groups.values():
            group.rebalance(sizes)

    def init(self, transactional_id: str) -> int:
        """Fence older owners and abort what they left open; gives the new epoch."""
        self._epochs[transactional_id] = self._epochs.get(transactional_id, -1) + 1
        self._finish(transactional_id, State.ABORTED)
        return self._epochs[transactional_id]

    def transaction(self, transactional_id: str, epoch: int) -> Transaction:
        """The open transaction of this owner, opened when there is none.

        Raises:
            FencedError: a newer owner exists, or the transaction timed out.
        """
        self._check_owner(transactional_id, epoch)
        return self._open.setdefault(transactional_id, Transaction(transactional_id, epoch))

    def append(
        self,
        at: TopicPartition,
        record: tuple[int | None, bytes | None, bytes | None, Headers | None],
        transaction: Transaction | None,
    ) -> int:
        """Append one record (timestamp, key, value, headers); gives its offset."""
        timestamp_ms, key, value, headers = record
        log = self.partition(at)
        if transaction is not None:
            transaction.partitions[at] = log
        if timestamp_ms is None or self.topics[at.topic].append_time:
            timestamp_ms = self.now_ms()
        return log.append(timestamp_ms, key, value, headers, transaction)

    def add_offsets(
        self,
        transactional_id: str,
        epoch: int,
        group: MemoryGroupMetadata,
        offsets: Mapping[TopicPartition, Committed],
    ) -> None:
        """Put a group's offsets into the transaction; they are pending until it ends.

        Raises:
            FencedError: see `transaction`.
            LogAbortableError: the group refuses the metadata.
        """
        transaction = self.transaction(transactional_id, epoch)
        held = self.group(group.group)
        held.check(group, offsets)
        for partition, committed in offsets.items():
            if (group.group, partition) not in transaction.offsets:
                held.pending[partition] = held.pending.get(partition, 0) + 1
            transaction.offsets[group.group, partition] = committed

    def end(self, transactional_id: str, epoch: int, state: State) -> None:
        """Commit or abort the owner's transaction; nothing where none is open.

        Raises:
            FencedError: see `transaction`.
        """
        self._check_owner(transactional_id, epoch)
        self._finish(transactional_id, state)

    def expire(self, transactional_id: str) -> bool:
        """Abort the open transaction and fence its owner, as the transaction timeout does."""
        if transactional_id not in self._open:
            return False
        self.init(transactional_id)
        return True

    def open_transactions(self) -> list[str]:
        """Transactional ids with a transaction open at the broker."""
        return sorted(self._open)

    def _check_owner(self, transactional_id: str, epoch: int) -> None:
        if self._epochs.get(transactional_id) != epoch:
            raise FencedError(f"transactional id {transactional_id}: epoch {epoch} is fenced")

    def _finish(self, transactional_id: str, state: State) -> None:
        transaction = self._open.pop(transactional_id, None)
        if transaction is None:
            return
        transaction.state = state
        for log in transaction.partitions.values():
            log.end(transaction, self.now_ms())
        for (name, partition), committed in transaction.offsets.items():
            group = self.group(name)
            group.pending[partition] -= 1
            if state is State.COMMITTED:
                group.committed[partition] = committed
