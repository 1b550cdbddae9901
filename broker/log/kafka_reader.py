"""Reads partitions by hand on confluent-kafka, fast forward and cheap at the end.

Going on where the last read of the same partition ended uses what was fetched ahead. The end is
asked of the leader; the client's own reports of it come once, and up to 100 ms late.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import confluent_kafka as ck
from confluent_kafka import KafkaError

from broker.config import KafkaConfig
from broker.errors import OffsetOutOfRangeError
from broker.log import kafka_settings
from broker.log.kafka_bounded import bounded
from broker.log.kafka_columns import consume
from broker.log.kafka_errors import LIBRDKAFKA, Credentials, call, ours
from broker.log.kafka_offsets import KafkaOffsets
from broker.log.kafka_topics import KafkaTopicIds
from broker.log.ports import EMPTY, Fetched, Offsets, Records, TopicPartition

_SLICE_S = 0.1  # how long to wait for a record before the credentials are looked at again
_CLOSE_TIMEOUT_S = 5.0
_PASSING = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT}  # noqa: SLF001


class KafkaReader:
    """Implements `ports.Reader`.

    Args:
        config: the cluster, and as whom.
        committed: whether records of open and aborted transactions stay unseen.
        offsets: asks for the ends of partitions; default one of its own.
    """

    def __init__(
        self, config: KafkaConfig, *, committed: bool, offsets: KafkaOffsets | None = None
    ) -> None:
        self._config = config
        self._committed = committed
        self._credentials = Credentials(config.username, config.bootstrap)
        shared = kafka_settings.client(config, "weir-reader") | {"error_cb": self._credentials}
        self._client = ck.Consumer(
            shared | kafka_settings.fetching(committed=committed) | kafka_settings.reading(),
            logger=LIBRDKAFKA,
        )
        self._offsets = offsets or KafkaOffsets(config, committed=committed)
        self._ids: KafkaTopicIds | None = None  # few readers ask for them
        self._place: TopicPartition | None = None
        self._next_offset = -1
        self._end = -1

    def read(
        self,
        partition: TopicPartition,
        first_offset: int,
        *,
        records_max: int,
        timeout_s: float,
    ) -> Fetched:
        """Records from `first_offset` on, at most `records_max`, until the end or `timeout_s`."""
        try:
            return self._read(partition, first_offset, records_max, timeout_s)
        except BaseException:
            # The client may stand behind records that nobody was given: the next read goes back.
            self._place = None
            raise

    def offsets(self, partition: TopicPartition, *, timeout_s: float) -> Offsets:
        """Log start and end."""
        return self._offsets.both(partition, timeout_s=timeout_s)

    def partitions(self, topic: str, *, timeout_s: float) -> int:
        """How many partitions the topic has; 0 where it does not exist."""
        metadata = call("topics", lambda: self._client.list_topics(topic, timeout=timeout_s))
        known = metadata.topics.get(topic)
        if known is None or known.error is not None:
            return 0
        return len(known.partitions)

    def topic_ids(self, topics: Sequence[str], *, timeout_s: float) -> dict[str, str]:
        """UUID of each topic that exists."""
        if not topics:
            return {}
        if self._ids is None:
            self._ids = KafkaTopicIds(self._config)
        return self._ids.ask(topics, timeout_s=timeout_s)

    def beside(self) -> "KafkaReader":
        """Another reader, over the same connection where ends are asked for."""
        return KafkaReader(self._config, committed=self._committed, offsets=self._offsets)

    def close(self) -> None:
        """Let go of the client."""
        bounded("reader: close", self._client.close, timeout_s=_CLOSE_TIMEOUT_S)

    def _read(
        self, partition: TopicPartition, first_offset: int, records_max: int, timeout_s: float
    ) -> Fetched:
        deadline = time.monotonic() + timeout_s
        asked = self._go_to(partition, first_offset, timeout_s)
        brought = Fetched(partition, EMPTY, first_offset)
        while True:
            if brought.next_offset >= self._end and not asked:
                self._end = self._offsets.end(partition, timeout_s=timeout_s)
                asked = True
            self._next_offset = brought.next_offset
            room = records_max - len(brought.records)
            at_end = brought.next_offset >= self._end
            left_s = deadline - time.monotonic()
            if at_end or room <= 0 or left_s <= 0 or brought.unreadable_at is not None:
                return replace(brought, at_end=at_end)
            wanted = min(room, self._end - brought.next_offset)
            brought = _joined(brought, self._fetch(partition, wanted, min(left_s, _SLICE_S)))
            if brought.unreadable_at is not None:
                self._place = None  # what was fetched behind it is dropped

    def _go_to(self, partition: TopicPartition, first_offset: int, timeout_s: float) -> bool:
        """Stand at `first_offset`; whether the end was asked for now."""
        if partition == self._place and first_offset == self._next_offset:
            return False
        end = self._offsets.end(partition, timeout_s=timeout_s)
        if first_offset > end:
            raise OffsetOutOfRangeError(*partition, first_offset)
        place = ck.TopicPartition(*partition, first_offset)
        call("read", self._client.assign, [place])
        self._place, self._next_offset, self._end = partition, first_offset, end
        return True

    def _fetch(
        self, partition: TopicPartition, records_max: int, timeout_s: float
    ) -> Fetched | None:
        """What arrives of this partition.

        Raises:
            OffsetOutOfRangeError, LogError: what a message reports.
        """
        # `consume` waits for all that it is asked for, which markers keep from ever coming.
        fetched, others = consume(self._client, "read", records_max=records_max, timeout_s=0)
        if not fetched and not others:
            fetched, others = consume(self._client, "read", records_max=1, timeout_s=timeout_s)
        self._credentials.check()
        for message in others:
            error = message.error()
            if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
                raise OffsetOutOfRangeError(*partition, self._next_offset)
            if error.code() not in _PASSING and not error.retriable():
                raise ours(error, f"{partition.topic}[{partition.partition}]: read")
        return fetched.get(partition)


def _joined(before: Fetched, after: Fetched | None) -> Fetched:
    """Both in one; a committed reader may stand past the last record, at an end."""
    if after is None:
        return before
    next_offset = max(before.next_offset, after.next_offset)
    if not before.records:
        return replace(after, next_offset=next_offset)
    both = Records(
        [*before.records.offsets, *after.records.offsets],
        [*before.records.timestamps_ms, *after.records.timestamps_ms],
        [*before.records.keys, *after.records.keys],
        [*before.records.values, *after.records.values],
        [*before.records.headers, *after.records.headers],
    )
    return replace(after, records=both, next_offset=next_offset)
