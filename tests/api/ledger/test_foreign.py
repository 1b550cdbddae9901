"""What no router would write into weir.usage is passed over with an alarm."""

from dataclasses import replace

import pytest

from broker import metrics
from broker.avro.codec import encode_segment
from broker.domain.names import USAGE_TOPIC
from broker.domain.segment import usage_key
from tests.api.ledger.world import TOPIC_ID, Ledger, alarm, chain, first, write, write_raw


@pytest.mark.parametrize(
    "twist",
    [
        {"deliveries": (first().deliveries[0], first().deliveries[0])},  # one subscription twice
        {"product": "acme/\0"},  # PostgreSQL cannot hold it
        {"number": 0},
        {"first_offset": -1},
    ],
)
def test_contradictory_segments_are_passed_over(ledger: Ledger, twist: dict[str, object]) -> None:
    """A segment that could not be written raises an alarm and holds up nothing behind it."""
    write(ledger.log, [replace(first(1), **twist), *chain(2)])
    ledger.run()
    assert len(ledger.rows("segments")) == 2
    assert alarm("usage-refused", f"{USAGE_TOPIC}/0") == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"x", b""),
        (usage_key(TOPIC_ID, 0), b"not a segment"),
        (usage_key(TOPIC_ID, 0), encode_segment(first())[:-3]),
        (usage_key(TOPIC_ID, 0), encode_segment(first()) + b"\0"),
        (usage_key(TOPIC_ID, 1), encode_segment(first())),  # another partition's key
        (None, encode_segment(first())),
    ],
)
def test_foreign_bytes_are_passed_over(ledger: Ledger, key: bytes | None, value: bytes) -> None:
    """What is no segment in its place raises an alarm and holds up nothing behind it."""
    metrics.ALARM.labels(kind="usage-refused", subject=f"{USAGE_TOPIC}/0").set(0)
    write_raw(ledger.log, key=key, value=value)
    write(ledger.log, chain(2))
    ledger.run()
    assert len(ledger.rows("segments")) == 2
    assert alarm("usage-refused", f"{USAGE_TOPIC}/0") == 1
