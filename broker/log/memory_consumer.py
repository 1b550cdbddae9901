"""A group's member in memory: it learns of the group's decisions in `poll`, and nowhere else."""

from collections.abc import Sequence

from broker.errors import FencedError, LogError, LogTimeoutError, OffsetOutOfRangeError
from broker.log.memory_broker import Broker, verb
from broker.log.memory_group import MemoryGroupMetadata
from broker.log.memory_reader import records_of
from broker.log.ports import Assignment, Committed, Fetched, Offsets, TopicPartition


class MemoryConsumer:
    """Implements `ports.Consumer`. `name` is its member id: it keeps it when it rejoins."""

    def __init__(self, broker: Broker, group: str, instance: str) -> None:
        self.broker = broker
        self.name = broker.client_name(f"{group}.{instance}")
        self.alive = True
        self._group = broker.group(group)
        self._topics: tuple[str, ...] = ()
        self._assignment: Assignment | None = None
        self._epoch = 0
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._ended: dict[TopicPartition, int] = {}
        self._out_of_range: set[TopicPartition] = set()
        self._turn = 0
        self._broken = False

    @verb
    def subscribe(self, topics: Sequence[str], assignment: Assignment) -> None:
        """Join the group, or change the topics; partitions come and go in `poll`."""
        self._topics, self._assignment = tuple(topics), assignment
        self._join()

    @verb
    def poll(self, *, records_max: int, timeout_s: float) -> list[Fetched]:  # noqa: ARG002  never waits
        """Deliver one decision of the group if there is one, then what the partitions hold."""
        if self._assignment is None:
            raise LogError(f"{self.name}: poll before subscribe")
        if self._broken:
            raise FencedError(f"{self.name}: its assignment was not taken up; rebuild it")
        if self.name not in self._group.members:
            lost = sorted(self._positions)
            self._drop(lost)
            self._join()
            self._assignment.lost(lost)
            return []
        self._reconcile(self._assignment)
        return self._fetch(records_max)

    def group_metadata(self) -> MemoryGroupMetadata:
        """What this member knows of itself, which may be stale: the broker is not asked."""
        return MemoryGroupMetadata(self._group.name, self.name, self._epoch)

    @verb
    def committed(
        self, partitions: Sequence[TopicPartition], *, timeout_s: float
    ) -> dict[TopicPartition, Committed]:
        """Committed offsets; times out at once while a transaction holds one of them."""
        for partition in partitions:
            if self._group.pending.get(partition):
                raise LogTimeoutError(
                    f"{partition.topic}[{partition.partition}]: a transaction holds its offset "
                    f"(waited {timeout_s} s)"
                )
        held = self._group.committed
        return {partition: held[partition] for partition in partitions if partition in held}

    @verb
    def offsets(self, partition: TopicPartition, *, timeout_s: float) -> Offsets:  # noqa: ARG002  never waits
        """Log start and last stable offset."""
        return self.broker.partition(partition).offsets(committed=True)

    @verb
    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read on from here."""
        if partition not in self._positions:
            raise LogError(f"{partition.topic}[{partition.partition}]: not assigned, cannot seek")
        self._place(partition, offset)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Deliver nothing of these until resumed."""
        self._paused.update(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Undo `pause`."""
        self._paused.difference_update(partitions)

    def close(self, *, timeout_s: float) -> None:  # noqa: ARG002  never waits
        """Leave the group, after `revoked` for what is still owned."""
        if not self.alive:
            return
        owned = sorted(self._positions)
        if self._assignment is not None and owned:
            if self.name in self._group.members:
                self._assignment.revoked(owned)
            else:
                self._assignment.lost(owned)
        self._drop(owned)
        self.alive = False
        self._group.leave(self.name)
        self.broker.rebalance()

    def _join(self) -> None:
        self._group.join(self.name, self._topics)
        self.broker.rebalance()

    def _reconcile(self, assignment: Assignment) -> None:
        revoked = self._group.to_revoke(self.name)
        if revoked:
            try:
                assignment.revoked(revoked)
            finally:  # the group takes them whatever the callback says
                self._drop(revoked)
                self._group.release(self.name, revoked)
        gained = self._group.acquire(self.name)
        self._epoch = self._group.members[self.name].epoch
        if gained:
            self._broken = True
            offsets = assignment.assigned(gained)
            self._broken = False
            self._paused.update(p for p in gained if p not in offsets)
            for partition in gained:
                self._place(partition, offsets.get(partition, 0))

    def _place(self, partition: TopicPartition, offset: int) -> None:
        self._positions[partition] = offset
        self._ended.pop(partition, None)
        self._out_of_range.discard(partition)

    def _drop(self, partitions: Sequence[TopicPartition]) -> None:
        for partition in partitions:
            self._positions.pop(partition, None)
            self._ended.pop(partition, None)
            self._paused.discard(partition)
            self._out_of_range.discard(partition)

    def _fetch(self, records_max: int) -> list[Fetched]:
        """Begin at another partition each time, so that a small `records_max` starves none."""
        ready = [p for p in sorted(self._positions) if self._may_read(p)]
        self._turn += 1
        shift = self._turn % len(ready) if ready else 0
        brought: list[Fetched] = []
        for partition in ready[shift:] + ready[:shift]:
            fetched = self._fetch_one(partition, records_max)
            records_max -= len(fetched.records)
            if fetched.records or fetched.at_end or fetched.unreadable_at is not None:
                brought.append(fetched)
        return brought

    def _may_read(self, partition: TopicPartition) -> bool:
        """Whether to read it now.

        Raises:
            OffsetOutOfRangeError: the first time its offset is found not to be in the log.
        """
        topic = self.broker.topics.get(partition.topic)
        if topic is None or partition in self._paused or partition in self._out_of_range:
            return False
        log = self.broker.partition(partition)
        if log.start <= self._positions[partition] <= log.high_watermark:
            return True
        self._out_of_range.add(partition)
        raise OffsetOutOfRangeError(
            partition.topic, partition.partition, self._positions[partition]
        )

    def _fetch_one(self, partition: TopicPartition, records_max: int) -> Fetched:
        log = self.broker.partition(partition)
        position = self._positions[partition]
        entries, next_offset, unreadable_at = log.visible(
            position, records_max=records_max, committed=True
        )
        self._positions[partition] = next_offset
        at_end = next_offset == log.last_stable and self._ended.get(partition) != next_offset
        if at_end:
            self._ended[partition] = next_offset
        return Fetched(partition, records_of(entries), next_offset, at_end, unreadable_at, position)
