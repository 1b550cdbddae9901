"""Unstable: whose records wait behind a producer's open transaction.

Nothing of it is lag: read-committed readers end there. A producer that dies in its transaction
holds its product up until its own time-out, which it chooses.
"""

from collections.abc import Collection

from broker.alarms import Alarm, clear_alarm, raise_alarm
from broker.log.ports import TopicPartition


class Unstable:
    """Raises the alarm for partitions that have stood at one open transaction for `alarm_after_s`.

    Each is looked at twice in that time, since the look asks Kafka.
    """

    def __init__(self, alarm_after_s: float) -> None:
        self._alarm_after_s = alarm_after_s
        self._looked_s: dict[TopicPartition, float] = {}
        self._since: dict[TopicPartition, tuple[int, float]] = {}

    def due(self, partition: TopicPartition, now_s: float) -> bool:
        """Whether it is time to look at this partition."""
        looked_s = self._looked_s.get(partition)
        return looked_s is None or now_s - looked_s >= self._alarm_after_s / 2

    def note(self, partition: TopicPartition, last_stable: int, end: int, now_s: float) -> None:
        """One look: the offsets up to which committed readers come, and at which the log ends."""
        self._looked_s[partition] = now_s
        if end <= last_stable:
            self._forget(partition)
            return
        at, since_s = self._since.get(partition, (-1, now_s))
        if at != last_stable:
            self._forget(partition)
            self._since[partition] = (last_stable, now_s)
        elif now_s - since_s >= self._alarm_after_s:
            why = f"a producer's transaction from offset {last_stable} on has been open for "
            why += f"{now_s - since_s:.0f} s; {end - last_stable} offsets wait behind it"
            raise_alarm(Alarm.HANGING_TRANSACTION, _subject(partition), why)

    def keep(self, partitions: Collection[TopicPartition]) -> None:
        """Forget all but these: another router looks at what left."""
        for partition in self._looked_s.keys() - set(partitions):
            del self._looked_s[partition]
            self._forget(partition)

    def _forget(self, partition: TopicPartition) -> None:
        if self._since.pop(partition, None) is not None:
            clear_alarm(Alarm.HANGING_TRANSACTION, _subject(partition))


def _subject(partition: TopicPartition) -> str:
    return f"{partition.topic}/{partition.partition}"
