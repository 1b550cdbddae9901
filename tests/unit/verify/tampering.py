"""What tests of tampering share: forged segments, and what the recount names."""

from hashlib import sha256

from broker.avro.codec import encode_segment
from broker.domain.segment import Segment, usage_key
from broker.verify.report import Difference

from .conftest import Exchange, long

BUYER = "grid/forecast"
GOOD = b"\0\0\0\0\1" + long(1)


def differences(exchange: Exchange) -> list[Difference]:
    """What the recount names; there must be something."""
    report = exchange.recount()
    assert not report.agrees
    assert "DIFFERS" in report.to_table()
    return list(report.differences)


def first_segment(exchange: Exchange, *, records: bool = True) -> tuple[int, Segment]:
    """Place and value of the first segment of partition 0."""
    return next(
        (place, segment)
        for place, _, segment in exchange.segments()
        if segment.partition == 0 and (segment.kind == "records") == records
    )


def last_segment(exchange: Exchange) -> tuple[int, Segment, bytes]:
    """Place, value and digest of the last segment of partition 0."""
    *_, (place, data, segment) = [row for row in exchange.segments() if row[2].partition == 0]
    return place, segment, sha256(data).digest()


def append(exchange: Exchange, place: int, segment: Segment) -> None:
    """Write a forged segment into weir.usage."""
    key = usage_key(segment.topic_id, segment.partition)
    exchange.send("weir.usage", place, [encode_segment(segment)], key=key)
