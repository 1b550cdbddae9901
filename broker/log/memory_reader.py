"""Reads partitions in memory by hand, outside any group."""

from collections.abc import Sequence

from broker.log.memory_broker import Broker, verb
from broker.log.memory_topics import Entry
from broker.log.ports import Fetched, Offsets, Records, TopicPartition


def records_of(entries: Sequence[Entry]) -> Records:
    """Entries as columns."""
    return Records(
        [entry.offset for entry in entries],
        [entry.timestamp_ms for entry in entries],
        [entry.key for entry in entries],
        [entry.value for entry in entries],
        [entry.headers for entry in entries],
    )


class MemoryReader:
    """Implements `ports.Reader`."""

    def __init__(self, broker: Broker, *, committed: bool) -> None:
        self.broker = broker
        self.name = broker.client_name("reader")
        self.alive = True
        self._committed = committed

    @verb
    def read(
        self,
        partition: TopicPartition,
        first_offset: int,
        *,
        records_max: int,
        timeout_s: float,  # noqa: ARG002  never waits
    ) -> Fetched:
        """Records from `first_offset` on, at most `records_max`, until the end."""
        log = self.broker.partition(partition)
        self.broker.check_range(partition, first_offset, log.high_watermark)
        entries, next_offset, unreadable_at = log.visible(
            first_offset, records_max=records_max, committed=self._committed
        )
        at_end = next_offset >= log.offsets(committed=self._committed).last_stable
        return Fetched(partition, records_of(entries), next_offset, at_end, unreadable_at)

    @verb
    def offsets(self, partition: TopicPartition, *, timeout_s: float) -> Offsets:  # noqa: ARG002  never waits
        """Log start and the end that this reader sees."""
        return self.broker.partition(partition).offsets(committed=self._committed)

    @verb
    def partitions(self, topic: str, *, timeout_s: float) -> int:  # noqa: ARG002  never waits
        """How many partitions the topic has; 0 where it does not exist."""
        known = self.broker.topics.get(topic)
        return len(known.partitions) if known else 0

    @verb
    def topic_ids(self, topics: Sequence[str], *, timeout_s: float) -> dict[str, str]:  # noqa: ARG002  never waits
        """Id of each topic that exists."""
        known = self.broker.topics
        return {topic: known[topic].topic_id for topic in topics if topic in known}

    def beside(self) -> "MemoryReader":
        """Another reader of the same broker."""
        return MemoryReader(self.broker, committed=self._committed)

    def close(self) -> None:
        """Nothing is held."""
        self.alive = False
