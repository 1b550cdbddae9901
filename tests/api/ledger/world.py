"""Segments, the log that they are written into, and a ledger without an event loop."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from sqlalchemy import Engine, text

from broker import metrics
from broker.avro.codec import encode_segment
from broker.domain.names import USAGE_TOPIC
from broker.domain.segment import GENESIS_DIGEST, Delivery, Segment, usage_key
from broker.ledger.apply import Apply
from broker.ledger.reader import UsageReader
from broker.ledger.sink import Sink
from broker.log.memory import MemoryLog

TOPIC_ID = "0b5e2f64-0000-4000-8000-000000000001"
CHAIN = f"{TOPIC_ID}/0/live"


def first(partition: int = 0, flow: str = "live") -> Segment:
    """Number 1 of a chain: ten records, two subscriptions."""
    return Segment(
        topic="product.acme.wind",
        topic_id=TOPIC_ID,
        product="acme/wind",
        partition=partition,
        flow=flow,
        kind="records",
        number=1,
        first_offset=0,
        next_offset=10,
        seq=7,
        source_records=10,
        source_bytes=1000,
        refused=(),
        quarter_ms=900_000,
        billing_first_ms=900_001,
        watermark_ms=900_100,
        previous_digest=GENESIS_DIGEST,
        deliveries=(Delivery("sub-1", 10, 1000, bytes(32)), Delivery("sub-2", 4, 400, bytes(32))),
        undeliverable=(),
    )


def chain(length: int, partition: int = 0, flow: str = "live") -> list[Segment]:
    """A valid chain in which every third segment is empty."""
    made = [first(partition, flow)]
    for number in range(2, length + 1):
        last = made[-1]
        digest = sha256(encode_segment(last)).digest()
        step = replace(last, number=number, first_offset=last.next_offset, previous_digest=digest)
        empty = {"kind": "empty", "deliveries": (), "seq": last.seq + 1}
        full = {"kind": "records", "next_offset": last.next_offset + 10}
        full["deliveries"] = made[0].deliveries
        made.append(replace(step, **(empty if number % 3 == 0 else full)))
    return made


def write(log: MemoryLog, segments: Sequence[Segment], *, outcome: str = "commit") -> None:
    """Write segments into weir.usage in one transaction, all into partition 0."""
    producer = log.producer(transactional_id="writer")
    producer.init_transactions(timeout_s=1)
    producer.begin()
    for segment in segments:
        key = usage_key(segment.topic_id, segment.partition)
        producer.send_one(USAGE_TOPIC, 0, key=key, value=encode_segment(segment), timeout_s=1)
    producer.flush(timeout_s=1)
    if outcome == "commit":
        producer.commit(timeout_s=1)
    elif outcome == "abort":
        producer.abort(timeout_s=1)
    producer.close(timeout_s=1)


def write_raw(log: MemoryLog, *, key: bytes | None, value: bytes) -> None:
    """Write bytes that no router would write."""
    producer = log.producer(transactional_id=None)
    producer.send_one(USAGE_TOPIC, 0, key=key, value=value, timeout_s=1)
    producer.flush(timeout_s=1)


@dataclass
class Ledger:
    """The reader and the sink without an event loop."""

    log: MemoryLog
    database: Engine

    def __post_init__(self) -> None:
        self._start()

    def restart(self) -> None:
        """As after kill -9: nothing in memory is left, and the group notices."""
        if self.reader._consumer is not None:
            self.log.evict(self.reader._consumer)
            self.log.kill(self.reader._consumer)
        self._start()

    def _start(self) -> None:
        sink = Sink(self.database)
        self.reader = UsageReader(self.log, sink, instance="test")
        self.apply = Apply(self.reader, sink, pause=lambda _s: None)

    def run(self) -> None:
        """Poll and apply until nothing comes any more."""
        idle = 0
        for _ in range(1_000):
            batches = self.reader.poll()
            for batch in batches:
                self.apply(batch)
            idle = 0 if batches else idle + 1
            if idle == 3:
                return
        raise AssertionError("the ledger never came to rest")

    def rows(self, table: str) -> list[tuple[object, ...]]:
        """Everything in a table, in one order."""
        with self.database.connect() as connection:
            return sorted(map(tuple, connection.execute(text(f"TABLE {table}"))), key=repr)

    def usage(self) -> dict[str, tuple[int, int]]:
        """Subscription to records and bytes."""
        query = "SELECT subscription, sum(records), sum(billed_bytes) FROM usage GROUP BY 1"
        with self.database.connect() as connection:
            return {s: (int(r), int(b)) for s, r, b in connection.execute(text(query))}

    def everything(self) -> list[object]:
        """The rows of the ledger's tables, positions aside."""
        return [self.rows(table) for table in ("chains", "segments", "usage")]

    def position(self) -> int:
        """Where partition 0 of weir.usage is read on from."""
        return int(str(self.rows("usage_positions")[0][1]))

    def holes(self) -> list[object]:
        """What the chains say they wait for."""
        query = text("SELECT hole FROM chains WHERE hole IS NOT NULL")
        with self.database.connect() as connection:
            return list(connection.execute(query).scalars())


def alarm(kind: str, subject: str) -> float:
    """The alarm's gauge."""
    return metrics.ALARM.labels(kind=kind, subject=subject)._value.get()
