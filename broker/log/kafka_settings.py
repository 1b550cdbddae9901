"""Settings of every client, each with its reason.

Memory is bounded: 64 MiB fetched ahead a consumer, 128 MiB waiting in a producer.
"""

from typing import TypeAlias

from broker.config import KafkaConfig
from broker.log.ports import TRANSACTION_TIMEOUT_S

Settings: TypeAlias = dict[str, str | int | float | bool]

KIB = 1024
MIB = 1024 * KIB

# What our producers may send. A topic's own max.message.bytes decides below that.
MESSAGE_MAX_BYTES = 16 * MIB


def client(config: KafkaConfig, client_id: str) -> Settings:
    """What all clients share."""
    return config.client() | {
        "client.id": client_id,
        "socket.keepalive.enable": True,
        # A broker that was restarted is found again within a second, not ten.
        "reconnect.backoff.max.ms": 1_000,
        "log_level": 4,
    }


def fetching(*, committed: bool) -> Settings:
    """What consumers and readers share."""
    return {
        "isolation.level": "read_committed" if committed else "read_uncommitted",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        # Below the log's start and beyond its end look the same: never decide that here.
        "auto.offset.reset": "error",
        # With the default of 1 s a full prefetch queue stops fetching for a second: 0.3 instead
        # of 1.4 million records a second.
        "fetch.queue.backoff.ms": 5,
        "fetch.message.max.bytes": 4 * MIB,
        "fetch.max.bytes": 32 * MIB,
        # Also the most that one zstd batch may unpack to; beyond it is _BAD_COMPRESSION.
        "receive.message.max.bytes": 64 * MIB,
        "queued.min.messages": 200_000,
        "queued.max.messages.kbytes": 64 * KIB,
        # An end is reported by the answer to an idle fetch: this long after it was reached.
        "fetch.wait.max.ms": 100,
    }


def member(group: str) -> Settings:
    """A group member under KIP-848: metadata pinned to a batch survives unrelated rebalances."""
    return {"group.id": group, "group.protocol": "consumer", "max.poll.interval.ms": 60_000}


def reading() -> Settings:
    """A consumer outside groups; librdkafka wants a group id, no broker hears of it."""
    return {"group.id": "weir-reader"}


def producing(transactional_id: str | None) -> Settings:
    """A producer, transactional with an id, idempotent without."""
    settings: Settings = {
        "enable.idempotence": True,
        "linger.ms": 5,
        # Below the broker's default message.max.bytes (1,048,588), so that no batch is refused.
        "batch.size": 1_000_000,
        "message.max.bytes": MESSAGE_MAX_BYTES,
        "queue.buffering.max.messages": 1_000_000,
        "queue.buffering.max.kbytes": 128 * KIB,
        "compression.type": "lz4",
        # A deleted topic is noticed after 3 s, not 30: before the transaction times out.
        "topic.metadata.propagation.max.ms": 3_000,
        "delivery.timeout.ms": 14_000,
    }
    if transactional_id is not None:
        settings |= {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": int(TRANSACTION_TIMEOUT_S * 1_000),
        }
    return settings
