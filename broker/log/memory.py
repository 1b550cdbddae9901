"""Kafka in memory: deterministic, single-threaded, with handles for a simulator.

    MemoryLog ── consumer, producer, reader (the port)
        └─ topics, faults, raw records     (what only a test may touch)

No clock, no randomness, no waiting: append time comes from `now_ms`, and what would wait in Kafka
raises LogTimeoutError at once. It has Kafka's dangers too, on purpose: group metadata taken afresh
after a rejoin commits an old batch a second time, a recreated topic is read on from the old
offset, and a lost answer leaves the outcome unknown.
"""

from collections.abc import Callable

from broker.log.memory_broker import Broker, Interference, Outcome
from broker.log.memory_consumer import MemoryConsumer
from broker.log.memory_producer import MemoryProducer
from broker.log.memory_reader import MemoryReader
from broker.log.memory_topics import Entry, State
from broker.log.ports import Committed, TopicPartition

__all__ = ["Entry", "Interference", "MemoryLog", "Outcome", "State"]


class MemoryLog:
    """Implements `ports.Log`.

    Args:
        now_ms: append time for LogAppendTime topics, for `send_one` and for markers.

    >>> log = MemoryLog(now_ms=lambda: 1_000)
    >>> _ = log.create_topic("product.acme.wind", 4, append_time=True)
    >>> log.reader(committed=True).partitions("product.acme.wind", timeout_s=1)
    4
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._broker = Broker(now_ms)

    # The port.

    def consumer(self, group: str, *, instance: str) -> MemoryConsumer:
        """A member of `group`."""
        return MemoryConsumer(self._broker, group, instance)

    def producer(self, *, transactional_id: str | None) -> MemoryProducer:
        """A producer, transactional with an id, idempotent without."""
        return MemoryProducer(self._broker, transactional_id)

    def reader(self, *, committed: bool) -> MemoryReader:
        """A reader."""
        return MemoryReader(self._broker, committed=committed)

    # Topics, as an administrator changes them.

    def create_topic(self, name: str, partitions: int = 1, *, append_time: bool = False) -> str:
        """Create a topic and give its id; `append_time` is LogAppendTime, as product topics have.

        A name may be used again after `delete_topic`: it gets another id.
        """
        return self._broker.create_topic(name, partitions, append_time=append_time)

    def delete_topic(self, name: str) -> None:
        """Delete a topic with its records. Committed offsets of its name stay, as in Kafka."""
        del self._broker.topics[name]
        self._broker.rebalance()

    def recreate_topic(self, name: str) -> str:
        """Delete and create between two polls: no member loses a partition or notices."""
        topic = self._broker.topics.pop(name)
        return self._broker.create_topic(name, len(topic.partitions), append_time=topic.append_time)

    def trim(self, partition: TopicPartition, start: int) -> None:
        """Drop records below `start`, as retention does."""
        self._broker.partition(partition).trim(start)

    # Faults. Each is undone by its opposite; `interfere(None)` undoes the interference.

    def interfere(self, interference: Interference | None) -> None:
        """Ask this before every call: client name and verb to what becomes of it."""
        self._broker.interference = interference or (lambda _client, _verb: Outcome.DONE)

    def set_writable(self, topic: str, *, writable: bool) -> None:
        """Take away or give back the right to write a topic."""
        self._broker.topics[topic].writable = writable

    def set_readable(self, partition: TopicPartition, offset: int, *, readable: bool) -> None:
        """Make a record impossible to decompress, or heal it."""
        unreadable = self._broker.partition(partition).unreadable
        if readable:
            unreadable.discard(offset)
        else:
            unreadable.add(offset)

    def evict(self, consumer: MemoryConsumer) -> None:
        """The group removes the member; others get its partitions, it learns at its next poll."""
        self._broker.group(consumer.group_metadata().group).leave(consumer.name)
        self._broker.rebalance()

    def kill(self, client: MemoryConsumer | MemoryProducer | MemoryReader) -> None:
        """The client's process dies: no call of it succeeds any more.

        The group does not know yet (`evict`), nor does the transaction coordinator
        (`expire_transaction`, or a new owner's `init_transactions`).
        """
        client.alive = False

    def expire_transaction(self, transactional_id: str) -> bool:
        """Abort its open transaction and fence its owner; False where none is open."""
        return self._broker.expire(transactional_id)

    def forget_offsets(self, group: str) -> None:
        """The group's committed offsets expire."""
        self._broker.group(group).committed.clear()

    # What is really there, for checkers.

    def entries(self, topic: str) -> dict[int, list[Entry]]:
        """Partition to everything in it, markers and aborted records too."""
        known = self._broker.topics.get(topic)
        return {n: list(log.entries) for n, log in enumerate(known.partitions)} if known else {}

    def committed_offsets(self, group: str) -> dict[TopicPartition, Committed]:
        """The group's committed offsets, whatever transactions are pending."""
        return dict(self._broker.group(group).committed)

    def owners(self, group: str) -> dict[TopicPartition, str]:
        """Partition to the name of the member that the group says owns it."""
        members = self._broker.group(group).members
        return {at: name for name, member in members.items() for at in member.owned}

    def open_transactions(self) -> list[str]:
        """Transactional ids with a transaction open at the broker."""
        return self._broker.open_transactions()
