"""Market: the smallest exchange that a load needs: one product, two buyers, one plan.

Topics, rows and control events are made as `weir serve` would make them, without its API.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from confluent_kafka.admin import AdminClient, NewTopic
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from broker.config import KafkaConfig
from broker.control.outbox import append, published
from broker.control.relay import Relay
from broker.domain.events import ProductPublished, SchemaRegistered, SubscriptionActivated
from broker.domain.names import (
    CONTROL_TOPIC,
    USAGE_TOPIC,
    default_subject,
    delivery_topic,
    product_topic,
    quarantine_topic,
)
from broker.log.kafka import KafkaLog
from broker.log.kafka_errors import LIBRDKAFKA
from broker.store.control import OrganisationRow, PlanRow, PlanVersionRow, ProductRow

PRODUCT = "mill/flow"
SUBSCRIPTIONS = ("dam/all", "lock/all")
PARTITIONS = 4
SCHEMA_ID = 1
TOPIC = product_topic(PRODUCT)
_PLAN = "mill/metered"
_RECORD_MAX_BYTES = 1_000_000
_DAY_MS = 24 * 60 * 60 * 1000
_WAIT_S = 30.0
_SCHEMA = '{"type": "bytes"}'


def open_market(config: KafkaConfig, engine: Engine) -> None:
    """Make it: afterwards every record in the product's topic is both buyers'.

    Raises:
        UnavailableError: the control events were not published in time.
    """
    topic_id = _topics(config)
    sessions = sessionmaker(engine)
    now = datetime.now(UTC)
    with sessions.begin() as session:
        _rows(session, topic_id, now)
        seq = _events(session, topic_id, now)
    with _relay(config, engine):
        published(sessions, seq, timeout_s=_WAIT_S)


def _topics(config: KafkaConfig) -> str:
    admin = AdminClient(config.client(), logger=LIBRDKAFKA)
    append_time = {"message.timestamp.type": "LogAppendTime"}
    wanted = [
        NewTopic(CONTROL_TOPIC, 1, 1),
        NewTopic(USAGE_TOPIC, PARTITIONS, 1),
        NewTopic(TOPIC, PARTITIONS, 1, config=append_time),
        NewTopic(quarantine_topic(PRODUCT), PARTITIONS, 1),
        *(NewTopic(delivery_topic(name), PARTITIONS, 1) for name in SUBSCRIPTIONS),
    ]
    for made in admin.create_topics(wanted).values():
        made.result(_WAIT_S)
    reader = KafkaLog(config).reader(committed=True)
    try:
        return reader.topic_ids([TOPIC], timeout_s=_WAIT_S)[TOPIC]
    finally:
        reader.close()


def _rows(session: Session, topic_id: str, now: datetime) -> None:
    made = {"created_at": now, "created_by": "weir faults", "revision": 1}
    seller = PRODUCT.partition("/")[0]
    for name in (seller, *(name.partition("/")[0] for name in SUBSCRIPTIONS)):
        session.add(OrganisationRow(id=name, name=name, **made))
    session.flush()
    session.add(
        ProductRow(
            id=PRODUCT,
            organisation=seller,
            title="Load",
            description="",
            classification="internal",
            topic=TOPIC,
            quarantine_topic=quarantine_topic(PRODUCT),
            subject=default_subject(PRODUCT),
            partitions=PARTITIONS,
            published_partitions=PARTITIONS,
            retention_ms=_DAY_MS,
            quarantine_max_bytes=1 << 30,
            record_max_bytes=_RECORD_MAX_BYTES,
            validation="header",
            state="published",
            topic_id=topic_id,
            published_at=now,
            **made,
        )
    )
    session.flush()
    session.add(PlanRow(id=_PLAN, organisation=seller, product=PRODUCT, title="Metered", **made))
    session.flush()
    session.add(
        PlanVersionRow(
            plan=_PLAN,
            number=1,
            state="published",
            price={},
            period={"calendar": "month", "time_zone": "UTC"},
            delivery_retention_ms=_DAY_MS,
            approval="automatic",
            terms="",
            published_at=now,
            **made,
        )
    )


def _events(session: Session, topic_id: str, now: datetime) -> int:
    product = ProductPublished(
        product=PRODUCT,
        topic=TOPIC,
        topic_id=topic_id,
        partitions=PARTITIONS,
        quarantine_topic=quarantine_topic(PRODUCT),
        subject=default_subject(PRODUCT),
        validation="header",
        record_max_bytes=_RECORD_MAX_BYTES,
    )
    append(session, product, now=now)
    schema = SchemaRegistered(default_subject(PRODUCT), SCHEMA_ID, 1, _SCHEMA)
    seq = append(session, schema, now=now)
    for name in SUBSCRIPTIONS:
        topic = delivery_topic(name)
        active = SubscriptionActivated(name, PRODUCT, topic, _PLAN, 1, None, None)
        seq = append(session, active, now=now)
    return seq


@contextmanager
def _relay(config: KafkaConfig, engine: Engine) -> Iterator[None]:
    stop = threading.Event()
    relay = Relay(engine, KafkaLog(config), clock=lambda: datetime.now(UTC))
    thread = threading.Thread(target=relay.run, args=(stop,), name="relay")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
