"""Progress: which partition lags and does not move.

A consumer can keep a partition without ever delivering it (seen after broker restarts); nothing
else notices.
"""

from broker.log.ports import TopicPartition


class Progress:
    """Per partition: the offset last seen, and when it last moved or had no lag."""

    def __init__(self) -> None:
        self._seen: dict[TopicPartition, tuple[int, float]] = {}

    def note(
        self, partition: TopicPartition, next_offset: int, lag_records: int, now_s: float
    ) -> None:
        """One observation."""
        seen = self._seen.get(partition)
        if seen is None or lag_records == 0 or seen[0] != next_offset:
            self._seen[partition] = (next_offset, now_s)

    def stalled(self, now_s: float, stall_max_s: float) -> TopicPartition | None:
        """A partition that has lagged without moving for longer than this."""
        for partition, (_, moved_s) in self._seen.items():
            if now_s - moved_s > stall_max_s:
                return partition
        return None
