"""What only real Kafka can show of the port's Kafka half."""

import ctypes
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from broker.config import KafkaConfig
from broker.errors import FencedError, LogAbortableError, LogError
from broker.local.kafka import EmbeddedKafka
from broker.log.kafka import KafkaLog
from broker.log.kafka_errors import LIBRDKAFKA, Credentials
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
    assert _read_past_stops(log, member, place) == ([b"before", b"after"], [1])
    fetched = log.reader().read(place, 0, records_max=10, timeout_s=LIMIT_S)
    assert (list(fetched.records.values), fetched.unreadable_at) == ([b"before"], 1)


def test_a_read_that_failed_loses_nothing(log: Harness, kafka: EmbeddedKafka) -> None:
    """What the client had brought when a call failed comes again with the next one.

    A connection cut in its handshake is told of like this, beside records that came over another.
    A tail that went on behind them would overlook a revocation.
    """
    topic = log.topic()
    log.write(topic, rows(b"a", b"b", b"c"))
    log.read(topic, 3)
    reader, place = KafkaLog(kafka.config).reader(committed=True), TopicPartition(topic, 0)
    first = reader.read(place, 0, records_max=1, timeout_s=LIMIT_S)
    reader._credentials(KafkaError(KafkaError._AUTHENTICATION, "handshake failed"))
    with pytest.raises(LogError, match="refused the credentials"):
        reader.read(place, first.next_offset, records_max=1, timeout_s=LIMIT_S)
    again = reader.read(place, first.next_offset, records_max=1, timeout_s=LIMIT_S)
    assert (list(again.records.offsets), list(again.records.values)) == ([1], [b"b"])
    reader.close()


def test_a_connection_cut_in_its_handshake_is_no_refusal() -> None:
    """The broker went away meanwhile: nobody has to check name and password for that."""
    credentials = Credentials("weir", "localhost:1")
    cut = "SASL SCRAM-SHA-512 mechanism handshake failed: Local: Broker transport failure"
    credentials(KafkaError(KafkaError._AUTHENTICATION, f"{cut}: broker's supported mechanisms:"))
    credentials.check()


def test_a_header_name_that_is_no_utf8_is_a_named_stop(log: Harness, kafka: EmbeddedKafka) -> None:
    """Such a record, which Python's client cannot read, stops nothing but itself."""
    topic = log.topic()
    log.write(topic, rows(b"before"))  # offset 0, its marker at 1
    _produce_with_header(kafka.config.client(), topic, name=b"\xff\xfe")
    log.write(topic, rows(b"after"))  # offset 3, its marker at 4
    member, place = log.member(log.unique("group"), [topic]), TopicPartition(topic, 0)
    assert _read_past_stops(log, member, place) == ([b"before", b"after"], [2])
    reader = log.reader()
    fetched = reader.read(place, 0, records_max=10, timeout_s=LIMIT_S)
    assert (list(fetched.records.values), fetched.unreadable_at) == ([b"before"], 2)
    fetched = reader.read(place, 3, records_max=10, timeout_s=LIMIT_S)
    assert list(fetched.records.values) == [b"after"]


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


def _read_past_stops(
    log: Harness, member: Member, place: TopicPartition
) -> tuple[list[bytes | None], list[int]]:
    """Values up to the end, and the offsets of unreadable records that were sought past."""
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
    return values, stops


def _produce_with_header(settings: Mapping[str, Any], topic: str, *, name: bytes) -> None:
    """One record by the C library itself: Python's client takes only text for a header's name."""
    (path,) = (Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs").glob(
        "librdkafka*"
    )
    library = ctypes.CDLL(str(path))
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_headers_new"):
        getattr(library, function).restype = pointer
    error = ctypes.create_string_buffer(512)
    conf = pointer(library.rd_kafka_conf_new())
    for key, value in settings.items():
        library.rd_kafka_conf_set(conf, key.encode(), str(value).encode(), error, size(512))
    producer = pointer(library.rd_kafka_new(0, conf, error, size(512)))
    headers = pointer(library.rd_kafka_headers_new(size(1)))
    length = ctypes.c_ssize_t
    library.rd_kafka_header_add(headers, name, length(len(name)), b"v", length(1))
    number = ctypes.c_int  # of rd_kafka_vtype_t: topic 1, partition 3, value 4, flags 7, headers 10
    library.rd_kafka_producev(
        *(producer, number(1), topic.encode(), number(3), ctypes.c_int32(0)),
        *(number(4), b"poison", size(6), number(7), number(2), number(10), headers, number(0)),
    )
    assert library.rd_kafka_flush(producer, number(int(LIMIT_S * 1_000))) == 0
    library.rd_kafka_destroy(producer)
