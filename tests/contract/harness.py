"""What a test of the contract works with: the port, an administrator, members, bounded waiting.

Kafka takes its time (a commit is visible some milliseconds after it returns, a rebalance takes two
heartbeats): tests ask `until` something holds, which fails after a bound.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from broker.log.kafka_errors import LIBRDKAFKA
from broker.log.memory import MemoryLog
from broker.log.ports import (
    Assignment,
    Consumer,
    Fetched,
    Log,
    Producer,
    Reader,
    Records,
    TopicPartition,
)

LIMIT_S = 20.0


class Topics(Protocol):
    """What an administrator does."""

    def create(self, name: str, partitions: int, *, append_time: bool) -> None: ...

    def delete(self, name: str) -> None: ...


class MemoryTopics:
    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def create(self, name: str, partitions: int, *, append_time: bool) -> None:
        self._log.create_topic(name, partitions, append_time=append_time)

    def delete(self, name: str) -> None:
        self._log.delete_topic(name)


class KafkaTopics:
    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._admin = AdminClient(dict(settings), logger=LIBRDKAFKA)

    def create(self, name: str, partitions: int, *, append_time: bool) -> None:
        config = {"message.timestamp.type": "LogAppendTime"} if append_time else {}
        topic = NewTopic(name, partitions, 1, config=config)
        self._admin.create_topics([topic])[name].result(LIMIT_S)

    def delete(self, name: str) -> None:
        self._admin.delete_topics([name])[name].result(LIMIT_S)


class Member:
    """A consumer with the simplest lane: reads on from the committed offsets, notes decisions."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.owned: set[TopicPartition] = set()
        self.told: list[str] = []
        self.on_revoke: Callable[[], None] = lambda: None

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        self.told.append("assigned")
        self.owned |= set(partitions)
        committed = self.consumer.committed(partitions, timeout_s=LIMIT_S)
        return {p: committed[p].offset if p in committed else 0 for p in partitions}

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.told.append("revoked")
        self.on_revoke()
        self.owned -= set(partitions)

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self.told.append("lost")
        self.owned -= set(partitions)

    def poll(self) -> list[Fetched]:
        return self.consumer.poll(records_max=1_000, timeout_s=0.1)


@dataclass
class Harness:
    """The log under test and the clients made of it, closed at the end."""

    port: Log
    topics: Topics
    unique: Callable[[str], str]
    clients: list[Consumer | Producer] = field(default_factory=list)
    readers: dict[bool, Reader] = field(default_factory=dict)
    writer: Producer | None = None

    def topic(self, partitions: int = 1, *, append_time: bool = False) -> str:
        name = self.unique("topic")
        self.topics.create(name, partitions, append_time=append_time)
        reader = self.reader()
        self.until(lambda: reader.partitions(name, timeout_s=LIMIT_S) == partitions)
        return name

    def producer(self, transactional_id: str | None = None) -> Producer:
        """A transactional producer, ready to begin."""
        producer = self.port.producer(transactional_id=transactional_id or self.unique("lane"))
        producer.init_transactions(timeout_s=LIMIT_S)
        self.clients.append(producer)
        return producer

    def reader(self, *, committed: bool = True) -> Reader:
        """The test's reader: it has one that reads committed records, and one that does not."""
        if committed not in self.readers:
            self.readers[committed] = self.port.reader(committed=committed)
        return self.readers[committed]

    def member(self, group: str, topics: Sequence[str]) -> Member:
        """A member that has subscribed and has not polled."""
        member = Member(self.port.consumer(group, instance=self.unique("member")))
        self.clients.append(member.consumer)
        assignment: Assignment = member
        member.consumer.subscribe(topics, assignment)
        return member

    def write(self, topic: str, records: Records, *, partition: int = 0) -> None:
        """Write and commit, by a producer that is none of the test's."""
        self.writer = self.writer or self.producer()
        self.writer.begin()
        self.writer.send(topic, partition, records, timeout_s=LIMIT_S)
        finish(self.writer)

    def read(self, topic: str, size: int, *, partition: int = 0, committed: bool = True) -> Records:
        """All records from the beginning, once there are at least `size` of them."""
        reader = self.reader(committed=committed)
        place = TopicPartition(topic, partition)

        def enough() -> Records | None:
            fetched = reader.read(place, 0, records_max=1_000, timeout_s=LIMIT_S)
            return fetched.records if len(fetched.records) >= size else None

        return self.until(enough)

    def until(self, condition: Callable[[], Any]) -> Any:
        """What `condition` gives once that is true; fails after a bound."""
        deadline = time.monotonic() + LIMIT_S
        for attempt in count():
            found = condition()
            if found:
                return found
            if time.monotonic() > deadline:
                pytest.fail(f"the condition did not hold within {LIMIT_S} s, {attempt} attempts")
            time.sleep(0.001)
        raise AssertionError

    def close(self) -> None:
        for client in reversed(self.clients):
            client.close(timeout_s=5)
        for reader in self.readers.values():
            reader.close()


def finish(producer: Producer) -> None:
    """Flush and commit."""
    producer.flush(timeout_s=LIMIT_S)
    producer.commit(timeout_s=LIMIT_S)


def drop(producer: Producer) -> None:
    """Flush and abort."""
    producer.flush(timeout_s=LIMIT_S)
    producer.abort(timeout_s=LIMIT_S)


def rows(*values: bytes | None, age_ms: int = 0) -> Records:
    """Records with these values and nothing else of interest.

    Timestamps are of today: what is older than its topic's retention, Kafka deletes.
    """
    timestamp_ms = int(time.time() * 1_000) - age_ms
    size = len(values)
    return Records(
        list(range(size)), [timestamp_ms] * size, [None] * size, list(values), [None] * size
    )
