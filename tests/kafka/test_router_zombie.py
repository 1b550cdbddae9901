"""A worker that was evicted in the middle of a batch set never makes its records visible.

Real Kafka, real lanes, one process each. The worker is put to sleep by SIGSTOP until the group has
evicted it, another takes its partitions over and commits, then it wakes.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from broker.avro.codec import encode_event
from broker.config import KafkaConfig
from broker.domain.events import (
    ControlEvent,
    ProductPublished,
    SchemaRegistered,
    SubscriptionActivated,
)
from broker.domain.names import CONTROL_TOPIC, USAGE_TOPIC
from broker.local.demo.waiting import until
from broker.local.kafka import TESTING, EmbeddedKafka
from broker.log.kafka import KafkaLog
from tests.kafka.exchange import WAIT_S, read_all
from tests.kafka.lane_worker import Worker

pytestmark = pytest.mark.kafka

PARTITIONS = 2
TOPIC, DELIVERY, QUARANTINE = "product.a.flow", "delivery.b.all", "quarantine.a.flow"
FIRST, SECOND = 100, 20
HEADER = b"\0\0\0\0\1"
# A third of what a working exchange waits, so that the test is quick.
EVICTION = {
    "group.consumer.session.timeout.ms": "2000",
    "group.consumer.min.session.timeout.ms": "2000",
    "group.consumer.heartbeat.interval.ms": "500",
    "group.consumer.min.heartbeat.interval.ms": "500",
}


@pytest.fixture
def config(tmp_path: Path) -> Iterator[KafkaConfig]:
    """A broker whose control log holds one product, its schema and one subscription."""
    with EmbeddedKafka(tmp_path / "kafka", jvm=TESTING, extra=EVICTION) as kafka:
        publish(kafka.config)
        yield kafka.config


@pytest.mark.parametrize("polls_first", [True, False], ids=["polls", "commits at once"])
def test_evicted_worker_aborts_its_old_batch(config: KafkaConfig, *, polls_first: bool) -> None:
    """It aborts, whether it has rejoined the group or believes to be in it still; all goes on."""
    with Worker(config, "a") as zombie, Worker(config, "b") as heir:
        put_to_sleep_in_mid_work(config, zombie)
        route_everything([heir], FIRST)
        zombie.wake()
        if polls_first:
            wait_rejoined(zombie, heir)
        assert zombie.commit_held() != ""
        produce(config, FIRST, SECOND)
        route_everything([zombie, heir], FIRST + SECOND)
    assert delivered(config) == list(range(FIRST + SECOND))


def test_without_the_rule_both_are_visible(config: KafkaConfig) -> None:
    """A lane that takes its group metadata when it commits delivers the old batch again."""
    with Worker(config, "a", careless=True) as zombie, Worker(config, "b") as heir:
        held = put_to_sleep_in_mid_work(config, zombie)
        route_everything([heir], FIRST)
        zombie.wake()
        wait_rejoined(zombie, heir)
        assert zombie.commit_held() == ""
        seen = delivered(config)
        assert len(seen) == FIRST + held
        assert set(seen) == set(range(FIRST))


def put_to_sleep_in_mid_work(config: KafkaConfig, worker: Worker) -> int:
    """Let it own all, and hold a batch set whose records are produced and not committed."""
    produce(config, 0, FIRST)
    held = until(lambda: worker.hold() or None, what="a batch set with records", timeout_s=WAIT_S)
    worker.stop()
    return held


def route_everything(workers: list[Worker], records: int) -> None:
    """Drive them in turn until their chains reach the end of the source."""
    until(
        lambda: sum([worker.step() for worker in workers]) >= records or None,
        what=f"{records} records routed",
        timeout_s=WAIT_S,
    )


def wait_rejoined(worker: Worker, other: Worker) -> None:
    """Both poll until the worker is a member again and has got a partition back."""
    until(
        lambda: (other.step(), worker.rejoin())[1],
        what="the worker in the group again, with a partition",
        timeout_s=WAIT_S,
    )


def delivered(config: KafkaConfig) -> list[int]:
    """Numbers of the records that a buyer sees, sorted; each partition in order of offsets."""
    messages = read_all(
        config.client() | {"group.id": "judge", "isolation.level": "read_committed"},
        DELIVERY,
        PARTITIONS,
    )
    return sorted(int(each.value()[len(HEADER) :]) for each in messages)


def produce(config: KafkaConfig, first: int, count: int) -> None:
    producer = Producer(config.client())
    for number in range(first, first + count):
        producer.produce(TOPIC, HEADER + str(number).encode(), partition=number % PARTITIONS)
    assert producer.flush(30) == 0


def publish(config: KafkaConfig) -> None:
    """Topics and control events as `weir serve` would make them."""
    admin = AdminClient(config.client())
    append_time = {"message.timestamp.type": "LogAppendTime"}
    wanted = [
        NewTopic(CONTROL_TOPIC, 1, 1),
        NewTopic(USAGE_TOPIC, PARTITIONS, 1),
        NewTopic(TOPIC, PARTITIONS, 1, config=append_time),
        NewTopic(QUARANTINE, PARTITIONS, 1),
        NewTopic(DELIVERY, PARTITIONS, 1),
    ]
    for made in admin.create_topics(wanted).values():
        made.result(30)
    reader = KafkaLog(config).reader(committed=True)
    topic_id = reader.topic_ids([TOPIC], timeout_s=30)[TOPIC]
    reader.close()
    subject = f"{TOPIC}-value"
    events = [
        ProductPublished(
            product="a/flow",
            topic=TOPIC,
            topic_id=topic_id,
            partitions=PARTITIONS,
            quarantine_topic=QUARANTINE,
            subject=subject,
            validation="header",
            record_max_bytes=1_000_000,
        ),
        SchemaRegistered(subject, 1, 1, '{"type": "bytes"}'),
        SubscriptionActivated("b/all", "a/flow", DELIVERY, "a/metered", 1, None, None),
    ]
    producer = Producer(config.client())
    now_ms = time.time_ns() // 1_000_000
    for seq, event in enumerate(events, 1):
        producer.produce(CONTROL_TOPIC, encode_event(ControlEvent(seq, now_ms, event)))
    assert producer.flush(30) == 0
