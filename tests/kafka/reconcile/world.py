"""A control plane over real Kafka, for the tests of reconciliation."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import confluent_kafka as ck
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from prometheus_client import REGISTRY
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from broker.config import KafkaConfig
from broker.control import accounts, organisations, plans, products, subscriptions
from broker.control.products import Settings
from broker.control.provision import ALARM, Provisioner
from broker.control.provision_values import Drift
from broker.domain.actor import OPERATOR
from broker.log.kafka_errors import LIBRDKAFKA
from broker.store.control import ControlEventRow

PRICE = {"currency": "EUR", "model": "unit", "metric": "records", "unit_amount": "0.01"}
HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS
SETTLED_S = 30.0

Outcome = Literal["allowed", "refused"]


@dataclass
class World:
    """A control plane over real Kafka, and short ways to a state."""

    database: Engine
    kafka: KafkaConfig
    now: datetime
    passwords: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sessions = sessionmaker(self.database, expire_on_commit=False)
        self.provisioner = Provisioner(self.database, self.kafka)
        self.admin = AdminClient(self.kafka.client(), logger=LIBRDKAFKA)

    def organisation(self, slug: str) -> None:
        """Let a company in, with one account that may do everything."""
        with self.sessions.begin() as session:
            organisations.create(session, slug, name=slug, by=OPERATOR, now=self.now)
            account, password = accounts.create(
                session,
                f"{slug}/app",
                role="both",
                credentials=self.provisioner.users,
                by=OPERATOR,
                now=self.now,
            )
        self.passwords[account.principal] = password

    def product(self, product_id: str, *, partitions: int = 2) -> None:
        """A published product with one plan, whose topics are still to be made."""
        settings = Settings(
            title=product_id,
            description="",
            classification="internal",
            partitions=partitions,
            retention_ms=92 * DAY_MS,
            quarantine_max_bytes=100_000_000,
            record_max_bytes=1_000_000,
            validation="header",
            event_time_field=None,
        )
        with self.sessions.begin() as session:
            products.create(session, product_id, settings, by=OPERATOR, now=self.now)
            products.publish(session, product_id, by=OPERATOR, if_revision=None)
            plans.create(
                session, product_id, product_id=product_id, title="p", by=OPERATOR, now=self.now
            )
            terms = plans.terms_of(
                price=PRICE,
                period={"length_s": 60},
                delivery_retention_ms=HOUR_MS,
                approval="automatic",
                text="",
            )
            plans.draft_version(session, product_id, terms, by=OPERATOR, now=self.now)
            plans.publish_version(
                session,
                product_id,
                1,
                dispute_window_ms=30 * DAY_MS,
                by=OPERATOR,
                now=self.now,
                if_revision=None,
            )

    def subscription(self, subscription_id: str, product_id: str) -> None:
        """An approved subscription, whose topic is still to be made."""
        with self.sessions.begin() as session:
            subscriptions.request(
                session,
                subscription_id,
                product_id=product_id,
                plan_id=product_id,
                plan_version=None,
                expires_at=None,
                reason="",
                by=OPERATOR,
                now=self.now,
            )

    def settle(self) -> None:
        """Take steps until nothing is left to do."""
        deadline = time.monotonic() + SETTLED_S
        while not self.provisioner.step(self.now):
            assert time.monotonic() < deadline, f"still differs: {self.drift()}"
        # The next step looks into Kafka again, as it does every ten seconds.
        self.now += timedelta(seconds=11)

    def drift(self) -> Drift:
        """What differs now."""
        return self.provisioner.drift(self.now)

    def about(self, *names: str) -> list[str]:
        """Differences that concern any of these; other tests' topics are foreign here."""
        return [
            f"{one.state} {one.what}"
            for one in self.drift().differences
            if any(name in one.what for name in names)
        ]

    def product_of(self, product_id: str) -> Any:
        """The product as the tables have it."""
        with self.sessions() as session:
            return products.get(session, product_id, by=OPERATOR)

    def events(self) -> list[str]:
        """Kinds of control events, in order."""
        with self.sessions() as session:
            return list(session.scalars(select(ControlEventRow.kind).order_by(ControlEventRow.seq)))

    def client(self, slug: str) -> dict[str, Any]:
        """Settings of the company's own client."""
        return self.kafka.client() | {
            "sasl.username": f"{slug}.app",
            "sasl.password": self.passwords[f"{slug}.app"],
        }

    def can_write(self, slug: str, topic: str, transactional_id: str | None = None) -> Outcome:
        """Whether the company's producer may."""
        errors: list[KafkaError | None] = []
        settings = self.client(slug) | {
            "enable.idempotence": True,
            "message.timeout.ms": 10_000,
        }
        if transactional_id:
            settings["transactional.id"] = transactional_id
        producer = ck.Producer(settings, logger=LIBRDKAFKA)
        try:
            if transactional_id:
                producer.init_transactions(10.0)
                producer.begin_transaction()
            producer.produce(topic, b"x", on_delivery=lambda error, _: errors.append(error))
            producer.flush(12.0)
        except KafkaException as error:
            errors.append(error.args[0])
        except SystemError as error:
            # The library raises a fatal error before it calls the next callback, which then trips.
            errors.append(_cause(error))
        return _outcome(errors)

    def can_read(self, slug: str, topic: str, group: str) -> Outcome:
        """Whether the company's consumer may, in that group."""
        consumer = ck.Consumer(
            self.client(slug) | {"group.id": group, "auto.offset.reset": "earliest"},
            logger=LIBRDKAFKA,
        )
        consumer.subscribe([topic])
        deadline = time.monotonic() + 15.0
        try:
            while time.monotonic() < deadline:
                message = consumer.poll(0.1)
                if message is not None and message.error() is not None:
                    return _outcome([message.error()])
                if message is not None:
                    return "allowed"
        finally:
            consumer.close()
        raise AssertionError(f"neither a record nor a refusal of {topic} in 15 s")

    def write_as_exchange(self, topic: str) -> None:
        """One record, so that there is something to read."""
        producer = ck.Producer(self.kafka.client(), logger=LIBRDKAFKA)
        producer.produce(topic, b"x")
        assert producer.flush(10.0) == 0


def _cause(error: SystemError) -> KafkaError:
    if not isinstance(error.__cause__, KafkaException):
        raise error
    cause: KafkaError = error.__cause__.args[0]
    return cause


def _outcome(errors: list[KafkaError | None]) -> Outcome:
    refusals = {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
    failed = [error for error in errors if error is not None]
    if any(error.code() in refusals or "authorization failed" in error.str() for error in failed):
        return "refused"
    assert not failed, f"neither allowed nor refused: {failed}"
    return "allowed"


def alarm(subject: str) -> float | None:
    """The gauge of a drift's alarm; None where there is none."""
    return REGISTRY.get_sample_value("weir_alarm", {"kind": ALARM, "subject": subject})


def remove(admin: AdminClient, topic: str) -> None:
    """Remove a topic by hand, and wait until it is gone."""
    admin.delete_topics([topic])[topic].result(10)
    wait(lambda: topic not in admin.list_topics(timeout=10).topics, f"{topic} is gone")


def revoke(session: Session, subscription_id: str, now: datetime) -> None:
    """End a subscription."""
    subscriptions.revoke(
        session, subscription_id, by=OPERATOR, reason="test", now=now, if_revision=None
    )


def wait(happened: Callable[[], bool], what: str) -> None:
    """Wait for a condition, and say what was awaited."""
    deadline = time.monotonic() + SETTLED_S
    while not happened():
        assert time.monotonic() < deadline, f"not within {SETTLED_S} s: {what}"
