"""An exchange in memory: the real data plane on the memory log, its ledger in SQLite.

The router is the real one, so that honest data are what it writes; the ledger's rows are made here
from `weir.usage`, as the documents say, since the real sink speaks PostgreSQL alone.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, insert, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import StaticPool

from broker.avro.codec import decode_segment, encode_event
from broker.domain import events as ev
from broker.domain.segment import Segment
from broker.flow.lane import Lane
from broker.flow.settings import LaneSettings
from broker.log.memory import MemoryLog
from broker.log.ports import Headers, Records, TopicPartition
from broker.store.base import metadata
from broker.store.control import ControlEventRow, PlanVersionRow
from broker.store.ledger import AppliedSegment, Chain, Usage
from broker.verify.recount import recount_log
from broker.verify.report import Report

PRODUCT = "acme/wind"
TOPIC = "product.acme.wind"
QUARANTINE = "quarantine.acme.wind"
SUBJECT = "product.acme.wind-value"
BUYERS = ("grid/forecast", "care/turbines", "trial/month")
SCHEMA = '{"type": "record", "name": "R", "fields": [{"name": "v", "type": "long"}]}'


@compiles(JSONB, "sqlite")
def _jsonb(element: Any, compiler: Any, **options: Any) -> str:
    return "JSON"


class Inline(Executor):
    """Runs at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Clock:
    """Moves only when told."""

    ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.ms / 1000, UTC)

    def monotonic(self) -> float:
        return self.ms / 1000


class Exchange:
    """One product of two partitions, three buyers, a router and a ledger."""

    partitions = 2

    def __init__(
        self, *, validation: ev.Validation = "header", record_max_bytes: int = 200
    ) -> None:
        self.clock = Clock()
        self.log = MemoryLog(now_ms=self.clock.now_ms)
        self.database = empty_database()
        add_plan(self.database, "p", self.clock.now())
        self.seq = 0
        self._producer = self.log.producer(transactional_id=None)
        self.log.create_topic("weir.control")
        self.log.create_topic("weir.usage", 3)
        self.topic_id = self.log.create_topic(TOPIC, self.partitions, append_time=True)
        self.log.create_topic(QUARANTINE, self.partitions)
        self.publish(
            ev.ProductPublished(
                PRODUCT,
                TOPIC,
                self.topic_id,
                self.partitions,
                QUARANTINE,
                SUBJECT,
                validation,
                record_max_bytes,
            )
        )
        self.publish(ev.SchemaRegistered(SUBJECT, 1, 1, SCHEMA))
        self.publish(ev.SchemaRegistered("other-value", 9, 1, SCHEMA))
        for name in BUYERS:
            self.log.create_topic(self.delivery(name), self.partitions)
            self.publish(
                ev.SubscriptionActivated(name, PRODUCT, self.delivery(name), "p", 1, None, None)
            )
        self._lane = Lane(
            self.log,
            instance="0",
            settings=LaneSettings(records_max=20, recover_timeout_s=0.0, hold_s=1.0),
            clock=self.clock,
            executor=Inline(),
        )
        self._lane.rebuild()

    def delivery(self, subscription: str) -> str:
        """Its delivery topic."""
        return "delivery." + subscription.replace("/", ".")

    def publish(self, event: ev.Event) -> None:
        """A control event, in PostgreSQL and in the log."""
        self.seq += 1
        data = encode_event(ev.ControlEvent(self.seq, self.clock.ms, event))
        row = {
            "seq": self.seq,
            "at_ms": self.clock.ms,
            "kind": type(event).__name__,
            "canonical": data,
            "published_at": self.clock.now(),
        }
        with self.database.begin() as connection:
            connection.execute(insert(ControlEventRow), [row])
        self.send("weir.control", 0, [data])

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
            [self.clock.ms] * count,
            [key] * count,
            list(values),
            [headers] * count,
        )
        self._producer.send(topic, partition, records, timeout_s=1)

    def produce(self, count: int, *, partition: int = 0, first: int = 0) -> None:
        """Valid records, each unlike the others."""
        values = [b"\0\0\0\0\1" + long(first + n) for n in range(count)]
        self.send(TOPIC, partition, values)

    def route(self) -> None:
        """Let the router work until nothing is left, and the ledger book it."""
        idle = 0
        for _ in range(1_000):
            self.clock.ms += 200
            batches = self._lane.poll()
            idle = 0 if batches is not None else idle + 1
            if batches is not None:
                try:
                    routed = self._lane.route(batches, self._lane.enforce(batches))
                    self._lane.commit(batches, self._lane.meter(batches, routed))
                except Exception as error:  # noqa: BLE001  the lane decides what becomes of it
                    self._lane.fail(error)  # type: ignore[arg-type]
            if idle == 12:
                self.book()
                return
        raise AssertionError("the router never came to rest")

    def segments(self) -> Iterator[tuple[int, bytes, Segment]]:
        """Partition of weir.usage, bytes and segment, in order."""
        return segments_of(self.log)

    def book(self) -> None:
        """Write the ledger's rows anew from weir.usage."""
        book(self.log, self.database)

    def sql(self, statement: str, **values: object) -> None:
        """What an administrator of the database could do."""
        with self.database.begin() as connection:
            done = connection.execute(text(statement), values)
        assert done.rowcount

    def recount(self, product: str | None = None) -> Report:
        """The recount, without waiting for a ledger."""
        return recount_log(
            self.log,
            self.database,
            product=product,
            now_ms=self.clock.ms,
            timeout_s=1,
            ledger_wait_s=0.0,
        )


def segments_of(log: MemoryLog) -> Iterator[tuple[int, bytes, Segment]]:
    """Partition of weir.usage, bytes and segment, in order."""
    reader = log.reader(committed=True)
    for partition in range(reader.partitions("weir.usage", timeout_s=1)):
        at = TopicPartition("weir.usage", partition)
        start = reader.offsets(at, timeout_s=1).start
        for value in reader.read(at, start, records_max=100_000, timeout_s=1).records.values:
            yield partition, value or b"", decode_segment(value or b"")


def book(log: MemoryLog, database: Engine) -> None:
    """Write the ledger's rows from weir.usage, as the documents say."""
    chains: dict[tuple[str, int, str], dict[str, Any]] = {}
    with database.begin() as connection:
        for table in ("usage", "segments", "chains"):
            connection.execute(text(f"DELETE FROM {table}"))
        for _, data, segment in segments_of(log):
            place = (segment.topic_id, segment.partition, segment.flow)
            key = dict(zip(("topic_id", "partition", "flow"), place, strict=True))
            names = ("number", "next_offset", "seq", "watermark_ms", "product")
            shared = {name: getattr(segment, name) for name in names}
            shared["digest"] = sha256(data).digest()
            names = ("first_offset", "quarter_ms", "billing_first_ms")
            moment = {name: getattr(segment, name) for name in names}
            chains[place] = {**key, **shared, "hole": None}
            row = {**key, **shared, **moment, "canonical": data}
            connection.execute(insert(AppliedSegment), [row])
            for delivery in segment.deliveries:
                usage = {
                    **key,
                    **moment,
                    "number": segment.number,
                    "next_offset": segment.next_offset,
                    "seq": segment.seq,
                    "subscription": delivery.subscription,
                    "records": delivery.records,
                    "billed_bytes": delivery.billed_bytes,
                }
                connection.execute(insert(Usage), [usage])
        for chain in chains.values():
            connection.execute(insert(Chain), [chain])


def empty_database() -> Engine:
    """All tables in SQLite, in memory."""
    database = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    metadata().create_all(database)
    return database


def add_plan(database: Engine, plan: str, at: datetime) -> None:
    """Version 1 of a plan: a tenth of a euro a record, by calendar months."""
    row = {
        "plan": plan,
        "number": 1,
        "state": "published",
        "price": {
            "currency": "EUR",
            "model": "unit",
            "metric": "records",
            "unit_amount": "0.1",
        },
        "period": {"calendar": "month", "time_zone": "Europe/Berlin"},
        "delivery_retention_ms": 1,
        "approval": "manual",
        "terms": "",
        "created_at": at,
        "created_by": "test",
        "revision": 1,
    }
    with database.begin() as connection:
        connection.execute(insert(PlanVersionRow), [row])


def long(number: int) -> bytes:
    """Avro's zig-zag varint."""
    coded, out = number << 1, bytearray()
    while coded > 0x7F:
        out.append(coded & 0x7F | 0x80)
        coded >>= 7
    return bytes([*out, coded])


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """An exchange that has not routed anything yet."""
    made = Exchange()
    yield made
    made.database.dispose()


@pytest.fixture
def full_exchange() -> Iterator[Exchange]:
    """The same, with validation full."""
    made = Exchange(validation="full")
    yield made
    made.database.dispose()


@pytest.fixture
def routed(exchange: Exchange) -> Exchange:
    """Two segments in partition 0, one in partition 1, refused records in both."""
    exchange.produce(10)
    exchange.send(TOPIC, 0, [b"{}"])
    exchange.route()
    exchange.produce(8, first=100)
    exchange.produce(3, partition=1, first=200)
    exchange.route()
    assert exchange.recount().agrees
    return exchange
