"""A group's member on confluent-kafka: columns out, the group's decisions in, inside `poll`.

Reads committed records under `group.protocol=consumer` (KIP-848), where group metadata pinned to a
batch is accepted as long as its partitions have stayed, and refused once they have moved.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import confluent_kafka as ck
import structlog
from confluent_kafka import KafkaError, KafkaException, Message

from broker.config import KafkaConfig
from broker.errors import FencedError, LogError, OffsetOutOfRangeError
from broker.log import kafka_settings
from broker.log.kafka_bounded import bounded
from broker.log.kafka_columns import consume
from broker.log.kafka_errors import LIBRDKAFKA, Credentials, call, ours
from broker.log.kafka_offsets import KafkaOffsets
from broker.log.ports import (
    Assignment,
    Committed,
    Fetched,
    GroupMetadata,
    Offsets,
    TopicPartition,
)

# Heal themselves, or are followed by a callback of the group.
_PASSING = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001  the library's names for its own codes
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    KafkaError._MAX_POLL_EXCEEDED,  # noqa: SLF001
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._TRANSPORT,  # noqa: SLF001
}

_log = structlog.get_logger(__name__)


class KafkaConsumer:
    """Implements `ports.Consumer`."""

    def __init__(self, config: KafkaConfig, group: str, instance: str) -> None:
        self._name = f"{group}.{instance}"
        self._credentials = Credentials(config.username, config.bootstrap)
        self._client = ck.Consumer(
            kafka_settings.client(config, self._name)
            | kafka_settings.fetching(committed=True)
            | kafka_settings.member(group)
            | {"error_cb": self._credentials},
            logger=LIBRDKAFKA,
        )
        self._offsets = KafkaOffsets(config, committed=True)
        self._assignment: Assignment | None = None
        self._positions: dict[TopicPartition, int] = {}
        self._moved: set[TopicPartition] = set()
        self._paused: set[TopicPartition] = set()
        self._waiting: list[LogError] = []
        self._broken = False
        self._closing = False

    def subscribe(self, topics: Sequence[str], assignment: Assignment) -> None:
        """Join the group for these topics; calling again changes the list."""
        self._assignment = assignment
        if topics:
            self._client.subscribe(
                list(topics),
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )
        else:
            self._client.unsubscribe()

    def poll(self, *, records_max: int, timeout_s: float) -> list[Fetched]:
        """What has arrived; errors of single partitions come after the records of the others."""
        if self._broken:
            raise FencedError(f"{self._name}: its assignment was not taken up; rebuild it")
        if self._waiting:
            raise self._waiting.pop(0)
        self._moved.clear()
        fetched, others = consume(
            self._client, f"{self._name}: poll", records_max=records_max, timeout_s=timeout_s
        )
        self._credentials.check()
        for message in others:
            self._note(message)
        if self._moved:
            self._drop_moved(fetched)
        for place, brought in fetched.items():
            fetched[place] = replace(brought, position=self._positions.get(place, -1))
            self._positions[place] = brought.next_offset
            if brought.unreadable_at is not None:
                self.seek(place, brought.unreadable_at)  # what was fetched behind it is dropped
        if not fetched and self._waiting:
            raise self._waiting.pop(0)
        return list(fetched.values())

    def group_metadata(self) -> GroupMetadata:
        """Of the present assignment."""
        metadata: GroupMetadata = self._client.consumer_group_metadata()
        return metadata

    def committed(
        self, partitions: Sequence[TopicPartition], *, timeout_s: float
    ) -> dict[TopicPartition, Committed]:
        """Committed offsets; a partition without one is absent."""
        asked = [ck.TopicPartition(*place) for place in partitions]
        answer = call(f"{self._name}: committed", self._client.committed, asked, timeout_s)
        found = {}
        for each in answer:
            if each.error is not None:
                raise ours(each.error, f"{each.topic}[{each.partition}]: committed")
            if each.offset >= 0:
                place = TopicPartition(each.topic, each.partition)
                found[place] = Committed(each.offset, each.metadata or "")
        return found

    def offsets(self, partition: TopicPartition, *, timeout_s: float) -> Offsets:
        """Log start and last stable offset."""
        return self._offsets.both(partition, timeout_s=timeout_s)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read this partition on from here."""
        if partition not in self._positions:
            raise LogError(f"{partition.topic}[{partition.partition}]: not assigned, cannot seek")
        place = ck.TopicPartition(*partition, offset)
        try:
            self._client.seek(place)
        except KafkaException:
            # A partition that stands at an error cannot be sought; taken up anew it can.
            call(f"{self._name}: seek", self._client.incremental_unassign, [place])
            call(f"{self._name}: seek", self._client.incremental_assign, [place])
            if partition in self._paused:
                call(f"{self._name}: seek", self._client.pause, [place])
        self._positions[partition] = offset

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Deliver nothing of these until resumed."""
        call(f"{self._name}: pause", self._client.pause, self._assigned(partitions))
        self._paused.update(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Undo `pause`."""
        call(f"{self._name}: resume", self._client.resume, self._assigned(partitions))
        self._paused.difference_update(partitions)

    def close(self, *, timeout_s: float) -> None:
        """Leave the group, after `revoked` for what is still owned, which runs in this thread."""
        if self._closing:
            return
        self._closing = True
        owned = sorted(self._positions)
        try:
            if self._assignment is not None and owned:
                self._assignment.revoked(owned)
        finally:
            bounded(f"{self._name}: close", self._client.close, timeout_s=timeout_s)

    def _assigned(self, partitions: Iterable[TopicPartition]) -> list[ck.TopicPartition]:
        return [ck.TopicPartition(*place) for place in partitions if place in self._positions]

    def _on_assign(self, client: ck.Consumer, partitions: list[ck.TopicPartition]) -> None:
        places = [TopicPartition(each.topic, each.partition) for each in partitions]
        self._moved.update(places)
        offsets: Mapping[TopicPartition, int] = {}
        self._broken = True
        try:
            if self._assignment is not None and not self._closing:
                offsets = self._assignment.assigned(places)
                self._broken = False
        finally:  # always take them up: the library would, from offsets of its own choice
            self._positions.update({place: offsets.get(place, 0) for place in places})
            client.incremental_assign(
                [ck.TopicPartition(*place, offsets.get(place, 0)) for place in places]
            )
            unread = [place for place in places if place not in offsets]
            self._paused.update(unread)
            client.pause([ck.TopicPartition(*place) for place in unread])

    def _on_revoke(self, client: ck.Consumer, partitions: list[ck.TopicPartition]) -> None:
        self._let_go(client, partitions, lost=False)

    def _on_lost(self, client: ck.Consumer, partitions: list[ck.TopicPartition]) -> None:
        self._let_go(client, partitions, lost=True)

    def _let_go(
        self, client: ck.Consumer, partitions: list[ck.TopicPartition], *, lost: bool
    ) -> None:
        places = [TopicPartition(each.topic, each.partition) for each in partitions]
        self._moved.update(places)
        try:
            if self._assignment is not None and not self._closing:
                (self._assignment.lost if lost else self._assignment.revoked)(places)
        finally:  # the group takes them whatever the callback says
            for place in places:
                self._positions.pop(place, None)
                self._paused.discard(place)
            client.incremental_unassign(partitions)

    def _note(self, message: Message) -> None:
        """Keep an error for a later poll, since other partitions' records go first."""
        error = message.error()
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
            place = TopicPartition(message.topic(), message.partition())
            offset = message.offset() if message.offset() >= 0 else self._positions.get(place, -1)
            self._waiting.append(OffsetOutOfRangeError(*place, offset))
        elif error.code() in _PASSING or (error.retriable() and not error.fatal()):
            _log.warning("kafka consumer", consumer=self._name, error=error.str())
        else:
            self._waiting.append(ours(error, f"{self._name}: {message.topic() or 'poll'}"))

    def _drop_moved(self, fetched: dict[TopicPartition, Fetched]) -> None:
        """What came in the same call as a rebalance may be older than it: read it again."""
        for place in self._moved.intersection(fetched):
            del fetched[place]
            if place in self._positions:
                self.seek(place, self._positions[place])
