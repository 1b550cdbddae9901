"""The router under measurement: `weir router` in its own process, told of products by the log.

Its rate is read from the segments it wrote: records after the first transaction, over the time from
the first to the last; the same formula as for the peers.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from broker.avro.codec import decode_segment, encode_event
from broker.bench.load import PARTITIONS, SCHEMA, SCHEMA_ID
from broker.domain import events as ev
from broker.domain.names import CONTROL_TOPIC, USAGE_TOPIC
from broker.errors import InvalidFieldError, SetupError
from broker.log.kafka import KafkaLog
from broker.log.ports import TopicPartition

USAGE_PARTITIONS = 4
_TIMEOUT_S = 120.0
_READ_TIMEOUT_S = 10.0
_SAME_TRANSACTION_MS = 10


@dataclass
class Figures:
    """Records a second, and CPU microseconds a record."""

    rate: float
    cpu_us: float


class Router:
    """One router process and the control log that steers it."""

    def __init__(self, log: KafkaLog, process: psutil.Process) -> None:
        self._control = log.producer(transactional_id=None)
        self._reader = log.reader(committed=True)
        self._process = process
        self._seq = 0
        self._usage = dict.fromkeys(range(USAGE_PARTITIONS), 0)

    def measure(self, source: str, records: int, outputs: list[str]) -> Figures:
        """Publish a product over a filled topic; wait until all of it is accounted for."""
        topic_id = self._reader.topic_ids([source], timeout_s=_TIMEOUT_S)[source]
        product = f"bench/{source.rpartition('.')[2]}"
        subject = f"{source}-value"
        cpu_s = self._cpu_s()
        self._publish(ev.SchemaRegistered(subject, SCHEMA_ID, 1, json.dumps(SCHEMA)))
        self._publish(
            ev.ProductPublished(
                product=product,
                topic=source,
                topic_id=topic_id,
                partitions=PARTITIONS,
                quarantine_topic=f"quarantine.{product}",
                subject=subject,
                validation="header",
                record_max_bytes=1_000_000,
            ),
            *(
                ev.SubscriptionActivated(f"{product}{n}", product, output, "basic", 1, None, None)
                for n, output in enumerate(outputs)
            ),
        )
        commits = self._commits(topic_id, records)
        cpu_us = (self._cpu_s() - cpu_s) / records * 1e6
        self._publish(ev.TopicEnded(product, topic_id))
        times = sorted(commits)
        # Segments of one transaction are written within milliseconds of each other.
        first = sum(commits[at] for at in times if at - times[0] <= _SAME_TRANSACTION_MS)
        seconds = (times[-1] - times[0]) / 1_000
        if first == records or not seconds:
            raise InvalidFieldError(
                "--records", f"{records} fit into one transaction, a rate needs several; use more"
            )
        return Figures((records - first) / seconds, cpu_us)

    def _commits(self, topic_id: str, records: int) -> dict[int, int]:
        """Commit time in ms to source records, until all are there."""
        commits: dict[int, int] = {}
        deadline = time.monotonic() + _TIMEOUT_S
        while sum(commits.values()) < records:
            if time.monotonic() > deadline:
                raise SetupError(
                    f"router: {sum(commits.values())} of {records} records after {_TIMEOUT_S} s"
                )
            for partition, next_offset in self._usage.items():
                fetched = self._reader.read(
                    TopicPartition(USAGE_TOPIC, partition),
                    next_offset,
                    records_max=1_000,
                    timeout_s=_READ_TIMEOUT_S,
                )
                self._usage[partition] = fetched.next_offset
                rows = zip(fetched.records.values, fetched.records.timestamps_ms, strict=True)
                for value, at_ms in rows:
                    segment = decode_segment(value or b"")
                    if segment.topic_id == topic_id:
                        commits[at_ms] = commits.get(at_ms, 0) + segment.source_records
            time.sleep(0.02)
        return commits

    def _publish(self, *events: ev.Event) -> None:
        for event in events:
            self._seq += 1
            control = ev.ControlEvent(self._seq, time.time_ns() // 1_000_000, event)
            self._control.send_one(
                CONTROL_TOPIC, 0, key=None, value=encode_event(control), timeout_s=_TIMEOUT_S
            )
        self._control.flush(timeout_s=_TIMEOUT_S)

    def _cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def running(log: KafkaLog, home: Path) -> Iterator[Router]:
    """Start `weir router`, stop it at the end; its log is `HOME/router.log`."""
    with (home / "router.log").open("wb") as output:
        command = [sys.executable, "-m", "broker", "router", "--home", str(home)]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield Router(log, psutil.Process(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
