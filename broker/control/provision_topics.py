"""Topics of the exchange, with the settings of each kind.

Only settings that delivery or billing rests on are named; replication, compression and the like
are the cluster's own.
"""

from broker.control.provision_values import WantedTopic
from broker.control.retention import DISPUTE_WINDOW_DEFAULT_MS
from broker.domain.names import CONTROL_TOPIC, USAGE_TOPIC
from broker.domain.period import DAY_MS, MONTH_LONGEST_MS

USAGE_PARTITIONS_DEFAULT = 4
# Longer than two of the longest periods and the dispute window.
USAGE_RETENTION_MS = 2 * MONTH_LONGEST_MS + DISPUTE_WINDOW_DEFAULT_MS + 8 * DAY_MS
# A batch's header, a record's framing, `weir-reason` and `weir-source`.
HEADROOM_BYTES = 64 * 1024
# Kafka's default: our producers send batches of up to 1,000,000 bytes whatever the record's limit.
_MESSAGE_BYTES_DEFAULT = 1_048_588
_SEGMENT_BYTES_MIN = 1_048_576
_SEGMENT_BYTES_DEFAULT = 1_073_741_824
_QUARANTINE_SEGMENTS = 4
_LONG_MAX = 9_223_372_036_854_775_807


def control_topic(*, existed: bool) -> WantedTopic:
    """`weir.control`: one partition, kept for ever."""
    config = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
    return WantedTopic(
        name=CONTROL_TOPIC, kind="control", partitions=1, config=config, existed=existed
    )


def usage_topic(*, partitions: int, existed: bool) -> WantedTopic:
    """`weir.usage`: its number of partitions never changes, since routers compute the place."""
    config = {
        "cleanup.policy": "delete",
        "retention.ms": str(USAGE_RETENTION_MS),
        "retention.bytes": "-1",
    }
    return WantedTopic(
        name=USAGE_TOPIC, kind="usage", partitions=partitions, config=config, existed=existed
    )


def product_topic(
    name: str, *, partitions: int, retention_ms: int, record_max_bytes: int, topic_id: str | None
) -> WantedTopic:
    """A product's own topic: append time is billing time, so the broker stamps each record."""
    config = {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(retention_ms),
        "retention.bytes": "-1",
        "max.message.bytes": str(_message_bytes(record_max_bytes)),
    }
    return WantedTopic(
        name=name,
        kind="product",
        partitions=partitions,
        config=config,
        topic_id=topic_id,
        existed=topic_id is not None,
    )


def delivery_topic(
    name: str,
    *,
    partitions: int,
    retention_ms: int,
    record_max_bytes: int,
    topic_id: str | None = None,
) -> WantedTopic:
    """A subscription's topic: records keep the source's append time as their timestamp."""
    config = {
        "cleanup.policy": "delete",
        **_preserved_timestamps(),
        "retention.ms": str(retention_ms),
        "retention.bytes": "-1",
        "max.message.bytes": str(_message_bytes(record_max_bytes)),
    }
    return WantedTopic(
        name=name, kind="delivery", partitions=partitions, config=config, topic_id=topic_id
    )


def quarantine_topic(
    name: str,
    *,
    partitions: int,
    retention_ms: int,
    bytes_max: int,
    record_max_bytes: int,
    topic_id: str | None = None,
) -> WantedTopic:
    """A product's refused records: bounded by bytes a partition, kept no longer than the source."""
    message_bytes = _message_bytes(record_max_bytes)
    # Kafka removes whole segments: small ones, or the bound would be passed by a gigabyte.
    segment_bytes = min(
        max(bytes_max // _QUARANTINE_SEGMENTS, message_bytes, _SEGMENT_BYTES_MIN),
        _SEGMENT_BYTES_DEFAULT,
    )
    config = {
        "cleanup.policy": "delete",
        **_preserved_timestamps(),
        "retention.ms": str(retention_ms),
        "retention.bytes": str(bytes_max),
        "segment.bytes": str(segment_bytes),
        "max.message.bytes": str(message_bytes),
    }
    return WantedTopic(
        name=name, kind="quarantine", partitions=partitions, config=config, topic_id=topic_id
    )


def _message_bytes(record_max_bytes: int) -> int:
    return max(record_max_bytes + HEADROOM_BYTES, _MESSAGE_BYTES_DEFAULT)


def _preserved_timestamps() -> dict[str, str]:
    # A router that was away for long delivers records that old, whatever the cluster's default.
    return {
        "message.timestamp.type": "CreateTime",
        "message.timestamp.before.max.ms": str(_LONG_MAX),
    }
