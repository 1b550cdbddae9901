"""Reader: committed records of `weir.usage`, in batches, from the position stored in PostgreSQL.

The group only shares out the partitions: where reading goes on is the ledger's own, written with
the rows. Call everything but `read_again` from one thread.
"""

from collections.abc import Mapping, Sequence
from itertools import count

import structlog

from broker import metrics
from broker.alarms import Alarm, raise_alarm
from broker.domain.names import USAGE_TOPIC
from broker.errors import OffsetOutOfRangeError
from broker.ledger.reading import Batch, Reading
from broker.ledger.sink import Sink
from broker.log.ports import Consumer, Fetched, Log, TopicPartition

GROUP = "weir-ledger"
_POLL_S = 0.2
_RECORDS_MAX = 500
_ASK_S = 5.0
_CLOSE_S = 5.0

_log = structlog.get_logger(__name__)


class UsageReader:
    """One member of the ledger's group. Implements `broker.log.ports.Assignment`.

    Args:
        log: where `weir.usage` is.
        sink: knows the stored positions.
        instance: names this process in the group.
    """

    def __init__(self, log: Log, sink: Sink, *, instance: str) -> None:
        self.readings: dict[int, Reading] = {}
        self._client = log
        self._sink = sink
        self._instance = instance
        self._consumer: Consumer | None = None
        self._places: dict[int, int] = {}
        self._again: set[int] = set()
        self._epochs = count(1)

    def poll(self) -> list[Batch]:
        """What has arrived, per partition; joins the group first. Waits 0.2 s at most for records.

        Raises:
            LogError: call `reset`, then again.
            sqlalchemy.exc.SQLAlchemyError: likewise; the positions could not be read.
        """
        consumer = self._joined()
        while self._again:
            self._seek_stored(consumer, self._again.pop())
        try:
            fetched = consumer.poll(records_max=_RECORDS_MAX, timeout_s=_POLL_S)
        except OffsetOutOfRangeError as error:
            self._leave_range(consumer, error)
            return []
        return [batch for one in fetched for batch in self._batch(consumer, one)]

    def read_again(self, partition: int) -> None:
        """Go back to the stored position before the next poll. Any thread may ask."""
        self._again.add(partition)

    def measure_lag(self) -> None:
        """Set the coverage lag of each partition that is read.

        Raises:
            LogError: as for `poll`.
        """
        for partition, reading in list(self.readings.items()):
            offsets = self._joined().offsets(
                TopicPartition(USAGE_TOPIC, partition), timeout_s=_ASK_S
            )
            lag = max(0, offsets.last_stable - reading.position)
            metrics.COVERAGE_LAG_RECORDS.labels(partition=str(partition)).set(lag)

    def reset(self) -> None:
        """Leave the group and let go of the client; bounded. The next poll makes a new one."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(timeout_s=_CLOSE_S)
        self._forget(list(self.readings))

    # The group's decisions, made known inside `poll`.

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Begin at the stored positions."""
        positions = self._sink.positions([partition for _, partition in partitions])
        for partition, position in positions.items():
            self._begin(partition, position)
        _log.info("assigned", topic=USAGE_TOPIC, positions=positions)
        return {TopicPartition(USAGE_TOPIC, partition): at for partition, at in positions.items()}

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Forget them: what is under way may be applied or not, its next owner applies the same."""
        self._forget([partition for _, partition in partitions])

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        """As `revoked`."""
        self._forget([partition for _, partition in partitions])

    def _joined(self) -> Consumer:
        if self._consumer is None:
            self._consumer = self._client.consumer(GROUP, instance=self._instance)
            self._consumer.subscribe([USAGE_TOPIC], self)
        return self._consumer

    def _begin(self, partition: int, position: int) -> None:
        before = self.readings.get(partition)
        reading = Reading(next(self._epochs), position, position)
        if before is not None:
            reading.reread_at = before.reread_at
        self.readings[partition] = reading
        self._places[partition] = position

    def _forget(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self._again.discard(partition)
            if self.readings.pop(partition, None) is not None:
                metrics.COVERAGE_LAG_RECORDS.remove(str(partition))

    def _seek_stored(self, consumer: Consumer, partition: int) -> None:
        if partition not in self.readings:
            return
        position = self._sink.positions([partition])[partition]
        consumer.seek(TopicPartition(USAGE_TOPIC, partition), position)
        self._begin(partition, position)

    def _batch(self, consumer: Consumer, fetched: Fetched) -> list[Batch]:
        partition = fetched.partition.partition
        first_offset, next_offset = self._places[partition], fetched.next_offset
        if fetched.unreadable_at is not None:
            why = f"offset {fetched.unreadable_at} cannot be decompressed; it is passed over"
            raise_alarm(Alarm.USAGE_UNREADABLE, f"{USAGE_TOPIC}/{partition}", why)
            next_offset = fetched.unreadable_at + 1
            consumer.seek(fetched.partition, next_offset)
        if next_offset == first_offset:
            return []
        self._places[partition] = next_offset
        epoch = self.readings[partition].epoch
        return [Batch(partition, epoch, first_offset, next_offset, fetched.records)]

    def _leave_range(self, consumer: Consumer, error: OffsetOutOfRangeError) -> None:
        tp = TopicPartition(USAGE_TOPIC, error.partition)
        place = self._places[error.partition]
        log = consumer.offsets(tp, timeout_s=_ASK_S)
        subject = f"{USAGE_TOPIC}/{error.partition}"
        if place < log.start:
            why = f"offsets {place} to {log.start} were deleted before they were applied"
            raise_alarm(Alarm.USAGE_EXPIRED, subject, why)
            consumer.seek(tp, log.start)
            self._begin(error.partition, log.start)
        else:
            why = f"the stored position {place} is beyond the end {log.last_stable}; this is not "
            raise_alarm(Alarm.USAGE_BEYOND_END, subject, f"{why}the log that was read before")
            self._forget([error.partition])
