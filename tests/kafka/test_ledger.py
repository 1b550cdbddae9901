"""`weir ledger` as a process, on real Kafka and PostgreSQL: what is committed is billed, once."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from sqlalchemy import Engine, text

from broker.avro.codec import encode_segment
from broker.domain.segment import GENESIS_DIGEST, Delivery, Segment, usage_key, usage_partition
from broker.local.kafka import EmbeddedKafka
from broker.log.kafka import KafkaLog
from broker.store.base import engine
from broker.store.migrate import migrate

pytestmark = pytest.mark.kafka

TOPIC = "weir.usage"
# A killed member's partitions are given away after 6 s.
PATIENCE_S = 60.0


@dataclass
class Exchange:
    """weir.usage, a database, and ledger processes that use them."""

    kafka: EmbeddedKafka
    database: Engine
    home: Path
    topic_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = self.kafka.config
        self.log = KafkaLog(config)
        admin = AdminClient(config.client())
        if TOPIC not in admin.list_topics(timeout=30).topics:
            admin.create_topics([NewTopic(TOPIC, 4, 1)])[TOPIC].result(30)
        reader = self.log.reader(committed=True)
        self.partitions = reader.partitions(TOPIC, timeout_s=30)
        reader.close()
        stored = {
            "kafka": {
                "bootstrap": config.bootstrap,
                "username": config.username,
                "password": config.password,
            },
            "database_url": self.database.url.render_as_string(hide_password=False),
        }
        path = self.home / "connections.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(stored))

    def start(self) -> subprocess.Popen[bytes]:
        """A ledger process; its log stands in the home."""
        command = [sys.executable, "-m", "broker", "ledger", "--home", str(self.home)]
        command += ["--metrics-port", "0", "--instance", str(len(self.processes))]
        with (self.home / "ledger.log").open("ab") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        return self.processes[-1]

    def said(self) -> str:
        """What the processes wrote."""
        return (self.home / "ledger.log").read_text()

    def write(self, segments: Sequence[Segment], *, commit: bool = True) -> None:
        """Write segments in one transaction, where the router would."""
        producer = self.log.producer(transactional_id=f"writer-{self.topic_id}")
        producer.init_transactions(timeout_s=30)
        producer.begin()
        for segment in segments:
            place = usage_partition(segment.topic_id, segment.partition, self.partitions)
            key = usage_key(segment.topic_id, segment.partition)
            value = encode_segment(segment)
            producer.send_one(TOPIC, place, key=key, value=value, timeout_s=5)
        producer.flush(timeout_s=30)
        if commit:
            producer.commit(timeout_s=30)
        else:
            producer.abort(timeout_s=30)
        producer.close(timeout_s=5)

    def usage(self) -> tuple[int, int, int]:
        """Segments, records and bytes that the ledger has of this test's topic."""
        query = text(
            "SELECT (SELECT count(*) FROM segments WHERE topic_id = :id), "
            "coalesce(sum(records), 0), coalesce(sum(billed_bytes), 0) "
            "FROM usage WHERE topic_id = :id"
        )
        with self.database.connect() as connection:
            segments, records, size = connection.execute(query, {"id": self.topic_id}).one()
        return int(segments), int(records), int(size)

    def everything(self) -> list[str]:
        """All rows that tell of this test's topic."""
        with self.database.connect() as connection:
            return sorted(
                repr(row)
                for table in ("chains", "segments", "usage")
                for row in connection.execute(
                    text(f"SELECT * FROM {table} WHERE topic_id = :id"), {"id": self.topic_id}
                )
            )

    def hole(self) -> str | None:
        """What partition 0 of the source waits for."""
        query = text("SELECT hole FROM chains WHERE topic_id = :id AND partition = 0")
        with self.database.connect() as connection:
            return connection.execute(query, {"id": self.topic_id}).scalar()

    def positions(self) -> dict[int, int]:
        """Where each partition of weir.usage is read on from."""
        query = text("SELECT partition, next_offset FROM usage_positions")
        with self.database.connect() as connection:
            return {int(p): int(o) for p, o in connection.execute(query)}

    def until(self, met: Callable[[], bool], what: str) -> None:
        """Wait for a condition, with a limit."""
        end = time.monotonic() + PATIENCE_S
        while not met():
            assert time.monotonic() < end, f"not within {PATIENCE_S} s: {what}\n{self.said()}"
            time.sleep(0.05)

    def chain(self, length: int, partition: int = 0) -> list[Segment]:
        """A valid chain: ten records and 1,000 bytes a segment, every third segment empty."""
        deliveries = (Delivery("sub-1", 10, 1000, bytes(32)),)
        last = Segment(
            topic="product.acme.wind",
            topic_id=self.topic_id,
            product="acme/wind",
            partition=partition,
            flow="live",
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
            deliveries=deliveries,
            undeliverable=(),
        )
        made = [last]
        for number in range(2, length + 1):
            empty = number % 3 == 0
            last = replace(
                last,
                kind="empty" if empty else "records",
                number=number,
                first_offset=last.next_offset,
                next_offset=last.next_offset + (0 if empty else 10),
                previous_digest=sha256(encode_segment(last)).digest(),
                deliveries=() if empty else deliveries,
            )
            made.append(last)
        return made


@pytest.fixture
def exchange(kafka: EmbeddedKafka, database_url: str, tmp_path: Path) -> Iterator[Exchange]:
    migrate(database_url)
    database = engine(database_url)
    made = Exchange(kafka, database, tmp_path)
    yield made
    for process in made.processes:
        process.kill()
        process.wait(30)
    database.dispose()


def expected(length: int) -> tuple[int, int, int]:
    """Segments, records and bytes of a chain of this length."""
    full = length - length // 3
    return length, 10 * full, 1000 * full


def test_only_committed_segments_are_billed(exchange: Exchange) -> None:
    """A segment in an aborted transaction is never billed; what commits after it is, once."""
    segments = exchange.chain(5)
    exchange.start()
    exchange.write(segments[:2])
    exchange.write([replace(segments[2], source_records=99)], commit=False)
    exchange.until(lambda: exchange.usage() == expected(2), "two segments applied")
    exchange.write(segments[2:])
    exchange.until(lambda: exchange.usage() == expected(5), "five segments applied")
    assert exchange.hole() is None
    assert "segment-differs" not in exchange.said()


def test_a_hole_heals(exchange: Exchange) -> None:
    """A missing segment stops its chain and no other; when it arrives the chain goes on."""
    segments = exchange.chain(5)
    exchange.start()
    exchange.write(
        [*segments[:2], *segments[3:], *exchange.chain(3, partition=exchange.partitions)]
    )
    exchange.until(lambda: exchange.usage()[0] == 2 + 3, "what is whole applied")
    exchange.until(lambda: exchange.hole() is not None, "the hole noticed")
    assert "number 3 is missing" in str(exchange.hole())
    exchange.write([segments[2]])
    exchange.until(lambda: exchange.usage()[0] == 5 + 3, "the hole healed")
    assert exchange.hole() is None


def test_killed_and_started_again(exchange: Exchange) -> None:
    """A ledger killed with -9 among 2,000 segments, twice, leaves each applied once."""
    segments = exchange.chain(2_000)
    for part in range(0, 2_000, 100):
        exchange.write(segments[part : part + 100])
        if part % 1_000 == 500:
            applied = exchange.usage()[0]
            process = exchange.start()
            exchange.until(lambda before=applied: exchange.usage()[0] > before, "some applied")
            process.kill()
            process.wait(30)
    exchange.start()
    exchange.until(lambda: exchange.usage() == expected(2_000), "all segments applied")
    assert exchange.hole() is None


def test_a_replay_changes_nothing(exchange: Exchange) -> None:
    """weir.usage read again from its beginning, empty segments included, leaves every row alone."""
    exchange.write(exchange.chain(200))
    first = exchange.start()
    exchange.until(lambda: exchange.usage() == expected(200), "all segments applied")
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 0
    before, ends = exchange.everything(), exchange.positions()
    with exchange.database.begin() as connection:
        connection.execute(text("UPDATE usage_positions SET next_offset = 0"))
    exchange.start()

    def read_again() -> bool:
        at = exchange.positions()
        return all(at[partition] >= end for partition, end in ends.items())

    exchange.until(read_again, "everything read again")
    assert exchange.everything() == before


def test_two_share_the_work_and_one_takes_over(exchange: Exchange) -> None:
    """Two ledgers share the partitions of weir.usage; one is killed and the other goes on."""
    chains = [exchange.chain(60, partition=number) for number in range(exchange.partitions)]
    first, _ = exchange.start(), exchange.start()
    exchange.until(lambda: exchange.said().count("assigned") >= 2, "both have partitions")
    exchange.write([segment for each in chains for segment in each[:30]])
    first.kill()
    first.wait(30)
    exchange.write([segment for each in chains for segment in each[30:]])
    whole = tuple(exchange.partitions * count for count in expected(60))
    exchange.until(lambda: exchange.usage() == whole, "all segments applied")


def test_says_how_it_is(exchange: Exchange) -> None:
    """It answers readyz when it reads, and metrics tell of coverage lag and segments applied."""
    exchange.write(exchange.chain(3))
    exchange.start()
    exchange.until(lambda: exchange.usage() == expected(3), "all segments applied")
    port = exchange.said().partition("metrics_port=")[2].split()[0]
    base = f"http://127.0.0.1:{port}"

    def shown() -> bool:
        with exchange.database.connect() as connection:
            applied = connection.execute(text("SELECT count(*) FROM segments")).scalar_one()
        metrics = httpx.get(f"{base}/metrics").text
        return (
            "weir_coverage_lag_records{" in metrics
            and f"weir_segments_applied_total {applied}.0" in metrics
        )

    exchange.until(shown, "lag and segments in the metrics")
    assert httpx.get(f"{base}/readyz").status_code == 200


def test_names_what_it_waits_for(tmp_path: Path) -> None:
    """Without connections it says in one line what to do, and that the fault is the caller's."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("WEIR_")}
    command = [sys.executable, "-m", "broker", "ledger", "--home", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, env=environ, timeout=60, check=False)
    assert done.returncode == 2
    assert b"there is no exchange here" in done.stderr
    assert done.stderr.count(b"\n") == 1
