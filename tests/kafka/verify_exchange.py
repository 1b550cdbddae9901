"""An exchange for the recount's tests: real router, ledger and billing, rows of control by hand.

On Kafka with the machine's clock, or on the memory log with a clock that a test moves.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka.admin import AdminClient, NewTopic
from psycopg import sql
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session, sessionmaker

from broker.billing.close import request_close
from broker.billing.invoice import Invoice
from broker.billing.settle import settle
from broker.clock import Clock, SystemClock
from broker.config import KafkaConfig
from broker.control import outbox
from broker.domain import events as ev
from broker.errors import WeirError
from broker.flow.lane import Lane
from broker.flow.settings import LaneSettings
from broker.ledger.apply import Apply
from broker.ledger.reader import UsageReader
from broker.ledger.sink import Sink
from broker.local.kafka import TESTING, EmbeddedKafka
from broker.local.postgres import EmbeddedPostgres
from broker.log.kafka import KafkaLog
from broker.log.ports import Headers, Log, Records, TopicPartition
from broker.store.base import engine
from broker.store.control import (
    ControlEventRow,
    OrganisationRow,
    PlanRow,
    PlanVersionRow,
    ProductRow,
    SubscriptionHistoryRow,
    SubscriptionRow,
)
from broker.store.migrate import migrate
from broker.verify.recount import recount_log
from broker.verify.report import Report

PRODUCT = "acme/wind"
PLAN = "acme/basic"
TOPIC = "product.acme.wind"
QUARANTINE = "quarantine.acme.wind"
SUBJECT = "product.acme.wind-value"
SCHEMA = '{"type": "record", "name": "R", "fields": [{"name": "v", "type": "long"}]}'
BUYERS = ("grid", "care", "trial")
PATIENCE_S = 60.0
_STATES = {
    ev.SubscriptionSuspended: "suspended",
    ev.SubscriptionResumed: "active",
    ev.SubscriptionRevoked: "revoked",
}


class Inline(Executor):
    """Runs at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except WeirError as error:
            future.set_exception(error)
        return future


class Exchange:
    """One product and its plan; subscriptions, records and closes as a test asks for them.

    Args:
        log: Kafka's or memory's, empty.
        database: migrated, empty.
        clock: what decisions are dated by.
        create: makes a topic: name, partitions, append time; gives its id.
        tick: lets time pass while the router idles.
    """

    def __init__(
        self,
        log: Log,
        database: Engine,
        clock: Clock,
        create: Callable[[str, int, bool], str],
        *,
        partitions: int = 2,
        tick: Callable[[], object] = lambda: None,
    ) -> None:
        self.config: KafkaConfig | None = None
        self.log = log
        self.database = database
        self.clock = clock
        self.partitions = partitions
        self._create = create
        self._tick = tick
        self.sessions = sessionmaker(database, expire_on_commit=False)
        self._producer = log.producer(transactional_id=None)
        self._reader = log.reader(committed=True)
        create("weir.control", 1, False)
        create("weir.usage", 3, False)
        self.topic_id = create(TOPIC, partitions, True)
        create(QUARANTINE, partitions, False)
        self._rows()
        self._lane: Lane | None = None
        sink = Sink(database)
        self._usage = UsageReader(log, sink, instance="test")
        self._apply = Apply(self._usage, sink, pause=lambda _s: None)

    def close(self) -> None:
        """Let go of all clients."""
        if self._lane is not None:
            self._lane.close()
        self._usage.reset()
        self._producer.close(timeout_s=5)
        self._reader.close()

    # The control plane

    def plan(self, price: Mapping[str, Any], period: Mapping[str, Any] | None = None) -> int:
        """A published version of the plan; its number."""
        with self.sessions.begin() as session:
            number = 1 + session.scalars(select(func.count()).select_from(PlanVersionRow)).one()
            session.add(
                PlanVersionRow(
                    plan=PLAN,
                    number=number,
                    state="published",
                    price=dict(price),
                    period=dict(period or {"calendar": "month", "time_zone": "Europe/Berlin"}),
                    terms="",
                    delivery_retention_ms=10**9,
                    approval="automatic",
                    published_at=self.clock.now(),
                    **self._made(),
                )
            )
        return number

    def subscribe(self, buyer: str, version: int, *, length_s: int | None = None) -> str:
        """An active subscription, with its delivery topic."""
        now = self.clock.now()
        name = f"{buyer}/wind"
        topic = f"delivery.{buyer}.wind"
        self._create(topic, self.partitions, False)
        anchor_ms = None if length_s is None else outbox.to_ms(now)
        length_ms = None if length_s is None else length_s * 1000
        event = ev.SubscriptionActivated(name, PRODUCT, topic, PLAN, version, anchor_ms, length_ms)
        with self.sessions.begin() as session:
            session.add(
                SubscriptionRow(
                    id=name,
                    organisation=buyer,
                    product=PRODUCT,
                    plan=PLAN,
                    plan_version=version,
                    state="active",
                    delivery_topic=topic,
                    requested_at=now,
                    requested_by="test",
                    activated_at=now,
                    period_anchor_ms=anchor_ms,
                    period_length_ms=length_ms,
                    revision=1,
                )
            )
            session.flush()
            self._history(session, name, event, "active", version)
        self.relay()
        return name

    def change(self, subscription: str, event: ev.Event) -> None:
        """Suspend, resume, revoke or replan a subscription."""
        with self.sessions.begin() as session:
            row = session.get_one(SubscriptionRow, subscription)
            row.state = _STATES.get(type(event), row.state)  # type: ignore[arg-type]
            row.plan_version = getattr(event, "plan_version", row.plan_version)
            self._history(session, subscription, event, row.state, row.plan_version)
        self.relay()

    def publish(self, event: ev.Event) -> None:
        """A control event of no subscription."""
        with self.sessions.begin() as session:
            outbox.append(session, event, now=self.clock.now())
        self.relay()

    def relay(self) -> None:
        """Outbox to weir.control."""
        with self.sessions.begin() as session:
            waiting = select(ControlEventRow).where(ControlEventRow.published_at.is_(None))
            for row in session.scalars(waiting.order_by(ControlEventRow.seq)):
                self.send("weir.control", 0, [row.canonical])
                row.published_at = self.clock.now()

    def bill(self, end_ms: int | None = None) -> list[Invoice]:
        """Close billing time at `end_ms`, default now; prove it; make the invoices."""
        now = self.clock.now()
        end_ms = outbox.to_ms(now) if end_ms is None else end_ms
        with self.sessions.begin() as session:
            request_close(session, PRODUCT, end_ms, by="test", now=now)
        self.relay()
        self.route()
        with self.sessions.begin() as session:
            return settle(session, PRODUCT, end_ms, now=self.clock.now())

    # The data plane

    def send(
        self,
        topic: str,
        partition: int,
        values: Sequence[bytes | None],
        *,
        key: bytes | None = b"k",
        headers: Headers | None = None,
    ) -> None:
        """Records of somebody outside transactions."""
        count = len(values)
        records = Records(
            list(range(count)),
            [self.clock.now_ms()] * count,
            [key] * count,
            list(values),
            [headers] * count,
        )
        self._producer.send(topic, partition, records, timeout_s=30)
        self._producer.flush(timeout_s=30)

    def produce(self, count: int, *, partition: int = 0, first: int = 0) -> None:
        """Valid records, each unlike the others."""
        values = [b"\0\0\0\0\1" + (first + n).to_bytes(8) for n in range(count)]
        self.send(TOPIC, partition, values)

    def route(self) -> None:
        """Let router and ledger work until all is accounted for under the last seq."""
        if self._lane is None:
            self._lane = Lane(
                self.log,
                instance="0",
                settings=LaneSettings(records_max=25_000, hold_s=1.0),
                clock=self.clock,
                executor=Inline(),
            )
            self._lane.rebuild()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self._tick()
            self._turn(self._lane)
            for batch in self._usage.poll():
                self._apply(batch)
            if self._at_rest():
                return
        raise AssertionError(f"router and ledger never came to rest: {self._chains()}")

    def recount(self, product: str | None = None) -> Report:
        """The recount; the ledger has caught up, so it need not wait."""
        return recount_log(
            self.log, self.database, product=product, timeout_s=20, ledger_wait_s=0.0
        )

    def sql(self, *statements: str) -> None:
        """What an administrator of the database could do, past triggers and foreign keys."""
        with self.database.begin() as connection:
            connection.execute(text("SET session_replication_role = replica"))
            for statement in statements:
                assert connection.execute(text(statement)).rowcount

    def _turn(self, lane: Lane) -> None:
        try:
            batches = lane.poll()
            if batches is not None:
                routed = lane.route(batches, lane.enforce(batches))
                lane.commit(batches, lane.meter(batches, routed))
        except WeirError as error:
            lane.fail(error)

    def _at_rest(self) -> bool:
        with self.sessions() as session:
            last_seq = outbox.last_seq(session)
        chains = self._chains()
        if len(chains) < self.partitions:
            return False
        return all(
            seq >= last_seq
            and next_offset
            >= self._reader.offsets(TopicPartition(TOPIC, partition), timeout_s=30).last_stable
            for partition, seq, next_offset in chains
        )

    def _chains(self) -> list[tuple[int, int, int]]:
        query = text("SELECT partition, seq, next_offset FROM chains ORDER BY partition")
        with self.database.connect() as connection:
            return [(row[0], row[1], row[2]) for row in connection.execute(query)]

    def _rows(self) -> None:
        now = self.clock.now()
        with self.sessions.begin() as session:
            for name in ("acme", *BUYERS):
                session.add(OrganisationRow(id=name, name=name, **self._made()))
            session.flush()
            session.add(
                ProductRow(
                    id=PRODUCT,
                    organisation="acme",
                    title="",
                    description="",
                    classification="internal",
                    topic=TOPIC,
                    quarantine_topic=QUARANTINE,
                    subject=SUBJECT,
                    partitions=self.partitions,
                    retention_ms=10**10,
                    quarantine_max_bytes=10**6,
                    record_max_bytes=1000,
                    validation="header",
                    state="published",
                    event_time_field=None,
                    topic_id=self.topic_id,
                    published_at=now,
                    retired_at=None,
                    ended_at=None,
                    **self._made(),
                )
            )
            session.flush()
            session.add(
                PlanRow(id=PLAN, organisation="acme", product=PRODUCT, title="", **self._made())
            )
            published = ev.ProductPublished(
                PRODUCT, TOPIC, self.topic_id, self.partitions, QUARANTINE, SUBJECT, "header", 1000
            )
            outbox.append(session, published, now=now)
            outbox.append(session, ev.SchemaRegistered(SUBJECT, 1, 1, SCHEMA), now=now)
        self.relay()

    def _made(self) -> dict[str, Any]:
        return {"created_at": self.clock.now(), "created_by": "test", "revision": 1}

    def _history(
        self, session: Session, subscription: str, event: ev.Event, state: str, version: int
    ) -> None:
        now = self.clock.now()
        seq = outbox.append(session, event, now=now)
        session.flush()
        steps = select(func.count()).select_from(SubscriptionHistoryRow)
        steps = steps.where(SubscriptionHistoryRow.subscription == subscription)
        session.add(
            SubscriptionHistoryRow(
                subscription=subscription,
                number=1 + session.scalars(steps).one(),
                transition=type(event).__name__,
                state=state,
                plan=PLAN,
                plan_version=version,
                at=now,
                by="test",
                reason="",
                seq=seq,
            )
        )


@contextmanager
def kafka_exchange(home: Path, postgres: EmbeddedPostgres) -> Iterator[Exchange]:
    """On a broker of its own, so that weir.control and weir.usage hold this exchange alone."""
    name = f"verify_{secrets.token_hex(6)}"
    admin_url = postgres.database_url.replace("+psycopg", "")
    with psycopg.connect(admin_url, autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = f"{postgres.database_url.removesuffix('/weir')}/{name}"
    migrate(url)
    database = engine(url)
    with EmbeddedKafka(home, jvm=TESTING) as kafka:
        log = KafkaLog(kafka.config)
        made = Exchange(log, database, SystemClock(), KafkaTopics(kafka).create)
        made.config = kafka.config
        yield made
        made.close()
    database.dispose()


class KafkaTopics:
    """Creates topics, and waits until everybody has heard of them."""

    def __init__(self, kafka: EmbeddedKafka) -> None:
        self._admin = AdminClient(kafka.config.client())
        self._log = KafkaLog(kafka.config)

    def create(self, name: str, partitions: int, append_time: bool) -> str:  # noqa: FBT001  a port
        config = {"message.timestamp.type": "LogAppendTime"} if append_time else {}
        topic = NewTopic(name, partitions, 1, config=config)
        self._admin.create_topics([topic])[name].result(30)
        reader = self._log.reader(committed=True)
        try:
            for _ in range(300):
                known = reader.topic_ids([name], timeout_s=30)
                if name in known and reader.partitions(name, timeout_s=30) == partitions:
                    return known[name]
                time.sleep(0.1)  # bounded: metadata spread after the answer
        finally:
            reader.close()
        raise AssertionError(f"topic {name} was created and never seen")


class MovedClock:
    """Stands still until a test moves it."""

    def __init__(self, at: str) -> None:
        self.go(at)

    def go(self, at: str) -> None:
        """Move to an ISO moment."""
        self.ms = int(datetime.fromisoformat(at).timestamp() * 1000)

    def now_ms(self) -> int:
        return self.ms

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.ms / 1000, UTC)

    def monotonic(self) -> float:
        return self.ms / 1000
