"""What only real Kafka can show of the port's Kafka half."""

import os
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from broker.config import KafkaConfig
from broker.errors import FencedError, LogAbortableError, LogError
from broker.local.kafka import EmbeddedKafka
from broker.log.kafka import KafkaLog
from broker.log.kafka_errors import LIBRDKAFKA
from broker.log.ports import TopicPartition
from tests.contract.harness import LIMIT_S, Harness, KafkaTopics, Member, drop, finish, rows

pytestmark = pytest.mark.kafka
MIB = 1024 * 1024


@pytest.fixture
def log(kafka: EmbeddedKafka, unique: Callable[[str], str]) -> Iterator[Harness]:
    """Real Kafka alone."""
    harness = Harness(KafkaLog(kafka.config), KafkaTopics(kafka.config.client()), unique)
    yield harness
    harness.close()


def test_a_record_too_large_for_its_topic_is_found(log: Harness, kafka: EmbeddedKafka) -> None:
    """Metadata calls the topic healthy; the second refused commit knows it by its reports."""
    healthy, narrow = log.topic(), log.unique("narrow")
    admin = AdminClient(kafka.config.client(), logger=LIBRDKAFKA)
    topic = NewTopic(narrow, 1, 1, config={"max.message.bytes": "20000"})
    admin.create_topics([topic])[narrow].result(LIMIT_S)
    log.until(lambda: log.reader().partitions(narrow, timeout_s=LIMIT_S))
    producer = log.producer()
    found = []
    for _ in range(2):
        producer.begin()
        producer.send(healthy, 0, rows(b"a"), timeout_s=LIMIT_S)
        producer.send(narrow, 0, rows(os.urandom(60_000)), timeout_s=LIMIT_S)
        producer.flush(timeout_s=LIMIT_S)
        with pytest.raises(LogAbortableError):
            producer.commit(timeout_s=LIMIT_S)
        found.append(producer.unwritable([healthy, narrow], timeout_s=LIMIT_S))
        drop(producer)
    assert found == [[], [narrow]]
    producer.begin()
    producer.send(healthy, 0, rows(b"a"), timeout_s=LIMIT_S)
    finish(producer)


def test_a_record_that_unpacks_too_large_is_a_named_stop(
    log: Harness, kafka: EmbeddedKafka
) -> None:
    """70 MiB of zeros in a small zstd batch: reading stops before it, and goes on past it."""
    topic = log.topic()
    settings = {"compression.type": "zstd", "message.max.bytes": 100 * MIB}
    stranger = Producer(kafka.config.client() | settings, logger=LIBRDKAFKA)
    for value in (b"before", bytes(70 * MIB), b"after"):
        stranger.produce(topic, value, partition=0)
        assert stranger.flush(LIMIT_S) == 0
    member, place = log.member(log.unique("group"), [topic]), TopicPartition(topic, 0)
    values: list[bytes | None] = []
    stops: list[int] = []

    def ended() -> bool:
        for fetched in member.poll():
            values.extend(fetched.records.values)
            if fetched.unreadable_at is not None:
                stops.append(fetched.unreadable_at)
                member.consumer.seek(place, fetched.unreadable_at + 1)
            elif fetched.at_end:
                return True
        return False

    log.until(ended)
    assert (values, stops) == ([b"before", b"after"], [1])
    fetched = log.reader().read(place, 0, records_max=10, timeout_s=LIMIT_S)
    assert (list(fetched.records.values), fetched.unreadable_at) == ([b"before"], 1)


def test_a_wrong_password_is_said_in_words(kafka: EmbeddedKafka) -> None:
    """Not a time-out: who was refused, where, and what to check."""
    config = KafkaConfig(
        bootstrap=kafka.config.bootstrap, username=kafka.config.username, password="wrong"
    )
    log = KafkaLog(config)
    producer = log.producer(transactional_id="stranger")
    reader = log.reader(committed=True)
    with pytest.raises(LogError, match=r"refused the credentials of .*check name and password"):
        producer.init_transactions(timeout_s=2)
    with pytest.raises(LogError, match=r"refused the credentials of .*check name and password"):
        reader.offsets(TopicPartition("any", 0), timeout_s=2)
    producer.close(timeout_s=5)
    reader.close()


def test_a_failed_assignment_ends_the_consumer(log: Harness) -> None:
    """What `assigned` raises comes out of `poll`; after it the consumer only asks to be rebuilt."""
    topic = log.topic()

    class Failing(Member):
        def assigned(self, partitions: object) -> dict[TopicPartition, int]:
            raise LogError("no checkpoint")

    consumer = log.port.consumer(log.unique("group"), instance="one")
    log.clients.append(consumer)
    consumer.subscribe([topic], Failing(consumer))
    with pytest.raises(LogError, match="no checkpoint"):
        log.until(lambda: consumer.poll(records_max=1, timeout_s=0.1))
    with pytest.raises(FencedError):
        consumer.poll(records_max=1, timeout_s=0.1)
