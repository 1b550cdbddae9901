"""Progress: which partition lags and does not move.

A consumer can keep a partition without ever delivering it (seen after broker restarts); nothing
else notices.
"""

from collections.abc import Collection

from broker.log.ports import TopicPartition


class Progress:
    """Per partition: the offset last seen, and since when it lags without moving."""

    def __init__(self) -> None:
        self._seen: dict[TopicPartition, tuple[int, float]] = {}

    def note(
        self, partition: TopicPartition, next_offset: int, lag_records: int, now_s: float
    ) -> None:
        """One observation."""
        if lag_records == 0:
            self._seen.pop(partition, None)
            return
        seen = self._seen.get(partition)
        if seen is None or seen[0] != next_offset:
            self._seen[partition] = (next_offset, now_s)

    def keep(self, partitions: Collection[TopicPartition]) -> None:
        """Forget all but these: what left or was stopped lags no more, here."""
        kept = set(partitions)
        self._seen = {tp: seen for tp, seen in self._seen.items() if tp in kept}

    def stalled(self, now_s: float, stall_max_s: float) -> TopicPartition | None:
        """A partition that has lagged without moving for longer than this."""
        for partition, (_, moved_s) in self._seen.items():
            if now_s - moved_s > stall_max_s:
                return partition
        return None
