"""Our own topics' encoding."""

import pytest

from broker.avro.codec import decode_event, decode_segment, encode_event, encode_segment
from broker.domain import events as ev
from broker.domain.segment import GENESIS_DIGEST, Delivery, Refused, Segment, Undeliverable
from broker.errors import InvalidFieldError

SEGMENT = Segment(
    topic="product.acme.wind",
    topic_id="6f1c1f0e-5f0e-4a0e-9f0e-5f0e4a0e9f0e",
    product="acme/wind",
    partition=2,
    flow="live",
    kind="records",
    number=7,
    first_offset=100,
    next_offset=112,
    seq=9,
    source_records=10,
    source_bytes=2_330,
    refused=(Refused("wrong-magic-byte", 1),),
    quarter_ms=900_000,
    billing_first_ms=900_001,
    watermark_ms=900_500,
    previous_digest=GENESIS_DIGEST,
    deliveries=(Delivery("grid/forecast", 9, 2_097, bytes(range(32))),),
    undeliverable=(Undeliverable("maintenance/all", 9, 2_097),),
)


def test_segment_survives_its_encoding() -> None:
    """A segment decodes to itself, and equal segments have equal canonical bytes."""
    assert decode_segment(encode_segment(SEGMENT)) == SEGMENT


@pytest.mark.parametrize("data", [b"", b"\xc3\x01", encode_segment(SEGMENT)[:-1], b"{}" * 40])
def test_bytes_that_are_no_segment(data: bytes) -> None:
    """Foreign or cut bytes are refused by name, never half read."""
    with pytest.raises(InvalidFieldError):
        decode_segment(data)


@pytest.mark.parametrize(
    "event",
    [
        ev.ProductPublished(
            "acme/wind", "product.acme.wind", "id", 4, "quarantine.acme.wind", "s", "full", 10
        ),
        ev.PartitionsRaised("acme/wind", 8),
        ev.ProductRetired("acme/wind"),
        ev.TopicEnded("acme/wind", "id"),
        ev.SchemaRegistered("s", 1, 1, '"string"'),
        ev.SchemaRetired("s", 1),
        ev.SubscriptionActivated("g/f", "acme/wind", "delivery.g.f", "basic", 1, 5, 60_000),
        ev.SubscriptionReplanned("g/f", "acme/wind", "basic", 2),
        ev.SubscriptionSuspended("g/f", "acme/wind"),
        ev.SubscriptionResumed("g/f", "acme/wind"),
        ev.SubscriptionRevoked("g/f", "acme/wind"),
        ev.SubscriptionExpired("g/f", "acme/wind"),
        ev.PeriodClosing("acme/wind", 60_000),
    ],
    ids=lambda event: type(event).__name__,
)
def test_every_event_survives_its_encoding(event: ev.Event) -> None:
    """Each kind of control event decodes to itself."""
    control = ev.ControlEvent(3, 1_700_000_000_000, event)
    assert decode_event(encode_event(control)) == control
