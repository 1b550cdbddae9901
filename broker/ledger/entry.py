"""Entry: a record of `weir.usage` is a segment in its own place, or is refused by name.

What passes here can be written to PostgreSQL: a record that could not would stop every segment
behind it. What does not is an alarm, and leaves a hole in its chain if it was a segment once.
"""

from collections.abc import Iterator
from hashlib import sha256

from broker.avro.codec import decode_segment
from broker.domain.segment import Segment, usage_key
from broker.errors import InvalidFieldError
from broker.ledger.coverage import Entry
from broker.log.ports import Records

Refused = tuple[int, InvalidFieldError]
"""An offset of `weir.usage`, and why what stands there is no segment."""


def read_entry(offset: int, key: bytes | None, value: bytes | None) -> Entry:
    """The segment in one record.

    Raises:
        InvalidFieldError: the bytes are no segment, its fields contradict each other, or the key is
            another partition's.
    """
    if value is None:
        raise InvalidFieldError("value", "must be a segment, is null")
    segment = decode_segment(value)
    for fault in _faults(segment, key):
        raise fault
    return Entry(offset, segment, value, sha256(value).digest())


def read_entries(records: Records) -> tuple[list[Entry], list[Refused]]:
    """The segments in a run of records, and the offsets of those refused with their reason."""
    entries: list[Entry] = []
    refused: list[Refused] = []
    for offset, key, value in zip(records.offsets, records.keys, records.values, strict=True):
        try:
            entries.append(read_entry(offset, key, value))
        except InvalidFieldError as error:
            refused.append((offset, error))
    return entries, refused


def _faults(segment: Segment, key: bytes | None) -> Iterator[InvalidFieldError]:
    if key != usage_key(segment.topic_id, segment.partition):
        own = f"{segment.topic_id}:{segment.partition}"
        yield InvalidFieldError("key", f"must be that of its source partition, {own}, is {key!r}")
    if segment.number < 1:
        yield InvalidFieldError("number", f"must be 1 or more, is {segment.number}")
    for name in ("partition", "first_offset", "seq", "source_records"):
        if getattr(segment, name) < 0:
            yield InvalidFieldError(name, f"must not be negative, is {getattr(segment, name)}")
    subscriptions = [delivery.subscription for delivery in segment.deliveries]
    if len(set(subscriptions)) != len(subscriptions):
        yield InvalidFieldError("deliveries", "must name each subscription once")
    for delivery in segment.deliveries:
        if delivery.records < 0 or delivery.billed_bytes < 0:
            yield InvalidFieldError(
                f"deliveries.{delivery.subscription}", "must not count less than nothing"
            )
    names = (segment.topic_id, segment.product, segment.flow, *subscriptions)
    if any("\0" in name for name in names):
        # PostgreSQL's text cannot hold it.
        yield InvalidFieldError("topic_id, product, flow, subscription", "must hold no NUL")
