"""An exchange for the recount's tests: real router, ledger and billing, rows of control by hand.

On Kafka (`verify_kafka.py`) with the machine's clock, or on the memory log with a clock that a test
moves (`verify_clock.py`).
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from sqlalchemy import Engine, text

from broker.billing.close import request_close
from broker.billing.invoice import Invoice
from broker.billing.settle import settle
from broker.clock import Clock
from broker.config import KafkaConfig
from broker.control import outbox
from broker.errors import WeirError
from broker.flow.lane import Lane
from broker.flow.settings import LaneSettings
from broker.ledger.apply import Apply
from broker.ledger.reader import UsageReader
from broker.ledger.sink import Sink
from broker.log.ports import Headers, Log, Records, TopicPartition
from broker.verify.recount import recount_log
from broker.verify.report import Report

from .verify_control import PRODUCT, TOPIC, ControlPlane

PATIENCE_S = 60.0


class Inline(Executor):
    """Runs at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except WeirError as error:
            future.set_exception(error)
        return future


class Exchange(ControlPlane):
    """A control plane with its data plane: records and closes as a test asks for them.

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
        self._tick = tick
        self._producer = log.producer(transactional_id=None)
        self._reader = log.reader(committed=True)
        create("weir.control", 1, False)
        create("weir.usage", 3, False)
        super().__init__(database, clock, create, self.send, partitions=partitions)
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
