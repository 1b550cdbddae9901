"""Segments: the records of one source partition in `weir.usage`, decoded, in order.

Segments of several source partitions share a partition of `weir.usage`. It is read once for each of
them, so that the recount holds the records of one source partition at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from broker.errors import InvalidFieldError
from broker.verify.cursor import Cursor
from broker.verify.decode import SegmentLine, segment_line
from broker.verify.findings import Findings
from broker.verify.readers import READERS_MAX, Readers
from broker.verify.report import Difference

USAGE_TOPIC = "weir.usage"
_RUN_RECORDS = 5_000


def usage_key(topic_id: str, partition: int) -> bytes:
    """Key of the segments of one source partition."""
    return f"{topic_id}:{partition}".encode()


def usage_partition(topic_id: str, partition: int, count: int) -> int:
    """Where they stand: the first 8 hex digits of the topic id plus the partition, modulo."""
    return (int(topic_id.replace("-", "")[:8], 16) + partition) % count


@dataclass(frozen=True, slots=True)
class Place:
    """Where in `weir.usage` the segments of a key were found, and the first of them."""

    partition: int
    first_offset: int


@dataclass(slots=True)
class Directory:
    """The keys of `weir.usage`. `trimmed`: its partitions that retention has cut."""

    count: int
    places: dict[bytes, list[Place]] = field(default_factory=dict)
    trimmed: set[int] = field(default_factory=set)


def directory(readers: Readers) -> Directory:
    """Find the keys of `weir.usage`."""
    found = Directory(readers.partitions(USAGE_TOPIC))
    for first in range(0, found.count, READERS_MAX):
        readers.restart()
        beside = range(first, min(first + READERS_MAX, found.count))
        cursors = [readers.cursor(USAGE_TOPIC, at, beside=len(beside)) for at in beside]
        for cursor in filter(None, cursors):
            _enter(found, cursor)
    return found


def _enter(found: Directory, cursor: Cursor) -> None:
    partition = cursor.partition.partition
    if cursor.start:
        found.trimmed.add(partition)
    seen: set[bytes] = set()
    while len(run := cursor.peek(_RUN_RECORDS)):
        for offset, key in zip(run.offsets, run.keys, strict=True):
            if (key or b"") not in seen:
                seen.add(key or b"")
                found.places.setdefault(key or b"", []).append(Place(partition, offset))
        cursor.skip(len(run))


def of_key(cursor: Cursor, key: bytes, findings: Findings) -> Iterator[SegmentLine]:
    """The segments under `key` from where the cursor stands to its end."""
    while len(run := cursor.peek(_RUN_RECORDS)):
        cursor.skip(len(run))
        for offset, found, value in zip(run.offsets, run.keys, run.values, strict=True):
            if found != key:
                continue
            segment, fault = _read(key, value)
            if segment is None:
                findings.differ(
                    Difference(
                        store="chain",
                        what=fault,
                        partition=cursor.partition.partition,
                        first_offset=offset,
                        next_offset=offset + 1,
                        topic=USAGE_TOPIC,
                    )
                )
                continue
            yield segment


def _read(key: bytes, value: bytes | None) -> tuple[SegmentLine | None, str]:
    """The segment, or why it is none of this key."""
    try:
        segment = segment_line(value or b"")
    except InvalidFieldError as error:
        return None, str(error)
    if usage_key(segment.topic_id, segment.partition) != key:
        return None, f"a segment of {segment.topic_id}:{segment.partition} under another key"
    return segment, ""
