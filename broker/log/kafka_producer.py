"""A producer on confluent-kafka: one call of the library a record, no report but for receipts.

A record that fails after it was queued taints the transaction and the commit refuses it, with or
without a report. Which topic it was, reports would tell at a price for every record: they are
asked for in the transaction after a refused commit only.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import confluent_kafka as ck
from confluent_kafka import KafkaError, KafkaException, Message

from broker.config import KafkaConfig
from broker.errors import LogAbortableError, LogError, LogTimeoutError, TopicUnwritableError
from broker.log import kafka_settings
from broker.log.kafka_bounded import bounded
from broker.log.kafka_errors import LIBRDKAFKA, TOPIC_UNWRITABLE, Credentials, call, ours
from broker.log.ports import Committed, GroupMetadata, Records, TopicPartition

_ROOM_S = 0.05  # how long one wait for room in the queue lasts
_STATE = KafkaError._STATE  # noqa: SLF001  the library's names for its own codes


class KafkaReceipt:
    """Implements `ports.Receipt`; called by the client library with the report."""

    def __init__(self) -> None:
        self._offset: int | None = None
        self._error: str | None = "not reported on yet"

    @property
    def offset(self) -> int:
        """The record's offset."""
        if self._offset is None:
            raise LogError(f"the record has no offset: {self._error}")
        return self._offset

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        """The report."""
        if error is None:
            self._offset = message.offset()
        else:
            self._error = error.str()


class KafkaProducer:
    """Implements `ports.Producer`."""

    def __init__(self, config: KafkaConfig, transactional_id: str | None) -> None:
        self._name = transactional_id or "weir-producer"
        self._credentials = Credentials(config.username, config.bootstrap)
        self._client = ck.Producer(
            kafka_settings.client(config, self._name)
            | kafka_settings.producing(transactional_id)
            | {"error_cb": self._credentials},
            logger=LIBRDKAFKA,
        )
        self._known: set[str] = set()
        self._failed: set[str] = set()
        self._watching = False

    def init_transactions(self, *, timeout_s: float) -> None:
        """Fence older owners and end what they left open."""
        self._call("init_transactions", self._client.init_transactions, timeout_s)

    def begin(self) -> None:
        """Open a transaction."""
        self._call("begin", self._client.begin_transaction)

    def send(self, topic: str, partition: int, records: Records, *, timeout_s: float) -> None:
        """Queue records with their timestamps."""
        self._meet(topic, timeout_s)
        produce = self._client.produce
        report = self._report if self._watching else None
        deadline = time.monotonic() + timeout_s
        for key, value, timestamp, headers in zip(
            records.keys, records.values, records.timestamps_ms, records.headers, strict=True
        ):
            while True:
                try:
                    if headers is None:
                        produce(topic, value, key, partition, report, None, timestamp)
                    else:
                        produce(topic, value, key, partition, report, None, timestamp, headers)
                    break
                except BufferError:
                    self._wait_for_room(topic, deadline)
                except KafkaException as error:
                    raise self._refused(topic, error.args[0]) from error

    def send_one(
        self, topic: str, partition: int, *, key: bytes | None, value: bytes, timeout_s: float
    ) -> KafkaReceipt:
        """Queue one record whose offset the caller needs."""
        self._meet(topic, timeout_s)
        receipt = KafkaReceipt()
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self._client.produce(topic, value, key, partition, receipt)
            except BufferError:
                self._wait_for_room(topic, deadline)
            except KafkaException as error:
                raise self._refused(topic, error.args[0]) from error
            else:
                return receipt

    def unwritable(self, topics: Sequence[str], *, timeout_s: float) -> list[str]:
        """By what was refused or failed, then by the cluster's metadata."""
        existing = self._topics(timeout_s)
        return [topic for topic in topics if topic in self._failed or topic not in existing]

    def flush(self, *, timeout_s: float) -> None:
        """Wait until all that was queued is reported on."""
        left = self._call("flush", self._client.flush, timeout_s)
        if left:
            self._credentials.check()
            raise LogTimeoutError(f"{self._name}: {left} records in flight after {timeout_s} s")

    def send_offsets(
        self,
        offsets: Mapping[TopicPartition, Committed],
        group: GroupMetadata,
        *,
        timeout_s: float,
    ) -> None:
        """Add the group's offsets, with metadata, to the transaction."""
        places = [
            ck.TopicPartition(*place, committed.offset, committed.metadata)
            for place, committed in offsets.items()
        ]
        send = self._client.send_offsets_to_transaction
        self._call("send_offsets", send, places, group, timeout_s)

    def commit(self, *, timeout_s: float) -> None:
        """Make all of the transaction visible."""
        try:
            self._call("commit", self._client.commit_transaction, timeout_s)
        except LogAbortableError:
            self._watching = True
            raise
        self._watching = False

    def abort(self, *, timeout_s: float) -> None:
        """Drop the transaction."""
        self._call("abort", self._client.abort_transaction, timeout_s)

    def close(self, *, timeout_s: float) -> None:
        """Let go of the client; an open transaction is aborted, or times out at the broker."""
        bounded(f"{self._name}: close", self._client.close, timeout_s=timeout_s)

    def _call(self, what: str, function: Any, *args: Any) -> Any:
        try:
            return call(f"{self._name}: {what}", function, *args)
        except LogTimeoutError:
            self._client.poll(0)  # serves the callback that tells of refused credentials
            self._credentials.check()
            raise

    def _topics(self, timeout_s: float) -> set[str]:
        """Names that exist. Asked for all: asking for one may create it, and ends no doubt."""
        metadata = self._call("topics", lambda: self._client.list_topics(timeout=timeout_s))
        return {name for name, topic in metadata.topics.items() if topic.error is None}

    def _meet(self, topic: str, timeout_s: float) -> None:
        """Before the first record: to a topic that does not exist, producing can turn fatal.

        Raises:
            TopicUnwritableError: it does not exist, or was refused before.
        """
        if topic in self._known:
            return
        self._known |= self._topics(timeout_s) - self._failed
        if topic not in self._known:
            self._failed.add(topic)
            raise TopicUnwritableError(topic, "it does not exist, or this client lost it")

    def _refused(self, topic: str, error: KafkaError) -> LogError:
        """What `produce` raised, as ours."""
        if error.code() in TOPIC_UNWRITABLE:
            self._failed.add(topic)
            return TopicUnwritableError(topic, error.str())
        if error.code() == _STATE and not error.fatal():
            return LogAbortableError(f"{self._name}: {topic}: an earlier record failed")
        return ours(error, f"{self._name}: {topic}")

    def _report(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and error.code() in TOPIC_UNWRITABLE:
            self._failed.add(message.topic())

    def _wait_for_room(self, topic: str, deadline: float) -> None:
        if time.monotonic() >= deadline:
            self._credentials.check()
            raise LogTimeoutError(f"{self._name}: {topic}: no room in the producer's queue")
        self._client.poll(_ROOM_S)
