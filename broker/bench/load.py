"""Load: topics filled with 233-byte Avro records, and the check that all of them arrived, once.

Each key is the record's number in its partition (8 bytes, big-endian), so that the output of any
peer can be held against it: every number once, in order.
"""

import io
import time
from collections.abc import Sequence
from typing import Any

import confluent_kafka as ck
import fastavro
from confluent_kafka.admin import AdminClient, NewTopic

from broker.config import KafkaConfig
from broker.errors import OperatingError
from broker.log import kafka_settings

RECORD_BYTES = 233
PARTITIONS = 4
SCHEMA_ID = 1
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Reading",
    "fields": [
        {"name": "turbine", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        *({"name": f"v{n}", "type": "double"} for n in range(8)),
        {"name": "raw", "type": "bytes"},
    ],
}
_TIMEOUT_S = 60.0


class OutputError(OperatingError):
    """A peer lost, repeated or reordered records: its speed means nothing."""


def record() -> bytes:
    """One value: wire header and Avro body, RECORD_BYTES long."""
    fields = {"turbine": "R80711", "at": 1_420_070_400_000, "raw": b""}
    fields |= {f"v{n}": 1.5 * n for n in range(8)}
    bare = len(_encoded(fields))
    fields["raw"] = bytes(RECORD_BYTES - bare - 1)
    return _encoded(fields)


def _encoded(fields: dict[str, Any]) -> bytes:
    out = io.BytesIO(b"\0" + SCHEMA_ID.to_bytes(4))
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMA), fields)
    return out.getvalue()


def create(admin: AdminClient, names: Sequence[str], partitions: int = PARTITIONS) -> None:
    """Create topics, and wait until the cluster says so."""
    topics = [
        NewTopic(
            name,
            num_partitions=partitions,
            replication_factor=1,
            config={"message.timestamp.type": "LogAppendTime"}
            if name.startswith("product.")
            else {},
        )
        for name in names
    ]
    for future in admin.create_topics(topics).values():
        future.result(_TIMEOUT_S)


def delete(admin: AdminClient, names: Sequence[str]) -> None:
    """Delete topics: the disk is not for old rounds."""
    for future in admin.delete_topics(list(names)).values():
        future.result(_TIMEOUT_S)


def fill(config: KafkaConfig, topic: str, records: int, *, codec: str = "lz4") -> None:
    """Produce `records` evenly over the partitions."""
    producer = ck.Producer(
        config.client() | kafka_settings.producing(None) | {"compression.type": codec}
    )
    value = record()
    for number in range(records // PARTITIONS):
        key = number.to_bytes(8)
        for partition in range(PARTITIONS):
            while True:
                try:
                    producer.produce(topic, value, key, partition)
                    break
                except BufferError:
                    producer.poll(0.1)
    if producer.flush(_TIMEOUT_S):
        raise OutputError(f"{topic}: could not be filled within {_TIMEOUT_S} s")


def check(config: KafkaConfig, topic: str, records: int) -> None:
    """Read a peer's output, committed, and compare every key.

    Raises:
        OutputError: records are missing, repeated or out of order.
    """
    consumer = ck.Consumer(
        config.client()
        | {
            "group.id": "bench-check",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 5,
        }
    )
    try:
        consumer.assign([ck.TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
        keys: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        at_end: set[int] = set()
        deadline = time.monotonic() + _TIMEOUT_S
        while len(at_end) < PARTITIONS and time.monotonic() < deadline:
            for message in consumer.consume(25_000, 0.5):
                if message.error() is None:
                    keys[message.partition()].append(message.key())
                elif message.error().code() == ck.KafkaError._PARTITION_EOF:  # noqa: SLF001  the library's name for it
                    at_end.add(message.partition())
        expected = [number.to_bytes(8) for number in range(records // PARTITIONS)]
        for partition, got in enumerate(keys):
            if got != expected:
                raise OutputError(
                    f"{topic}/{partition}: {len(got)} records, {len(expected)} in order expected"
                )
    finally:
        consumer.close()
