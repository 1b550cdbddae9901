"""The smallest exchange that a lane can route: one product, one schema, one subscription, by hand.

No process runs: topics and control events are made as `weir serve` would make them, and the test
drives its lanes (`lane_worker.py`) itself.
"""

import time

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
from broker.log.kafka import KafkaLog
from tests.kafka.exchange import WAIT_S, read_all
from tests.kafka.lane_worker import Worker

PARTITIONS = 2
TOPIC, DELIVERY, QUARANTINE = "product.a.flow", "delivery.b.all", "quarantine.a.flow"
HEADER = b"\0\0\0\0\1"
SOURCE = NewTopic(TOPIC, PARTITIONS, 1, config={"message.timestamp.type": "LogAppendTime"})


def route_everything(workers: list[Worker], records: int) -> None:
    """Drive them in turn until their chains reach the end of the source."""
    until(
        lambda: sum([worker.step() for worker in workers]) >= records or None,
        what=f"{records} records routed",
        timeout_s=WAIT_S,
    )


def delivered(config: KafkaConfig) -> list[int]:
    """Numbers of the records that a buyer sees, partition by partition in order of offsets."""
    messages = read_all(
        config.client() | {"group.id": "judge", "isolation.level": "read_committed"},
        DELIVERY,
        PARTITIONS,
    )
    return [int(each.value()[len(HEADER) :]) for each in messages]


def in_order(count: int) -> list[int]:
    """What `delivered` gives where each of the records 0 to `count` is there once, in order."""
    return [number for p in range(PARTITIONS) for number in range(p, count, PARTITIONS)]


def produce(config: KafkaConfig, first: int, count: int) -> None:
    """Valid records with these numbers, over the partitions in turn."""
    producer = Producer(config.client())
    for number in range(first, first + count):
        producer.produce(TOPIC, HEADER + str(number).encode(), partition=number % PARTITIONS)
    assert producer.flush(30) == 0


def publish(config: KafkaConfig) -> None:
    """Topics and control events as `weir serve` would make them."""
    admin = AdminClient(config.client())
    wanted = [
        NewTopic(CONTROL_TOPIC, 1, 1),
        NewTopic(USAGE_TOPIC, PARTITIONS, 1),
        SOURCE,
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
