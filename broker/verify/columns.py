"""Columns: how much a run of records weighs, and its digest, by the layout in `docs/segment.md`.

    timestamps (i64) │ key lengths │ value lengths │ header lengths (i32, null -1) │
    all keys │ all values │ all headers          numbers little-endian

A run is compared and measured by column, never by record: that is what makes the recount fast.
"""

import hashlib
import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from broker.log.ports import Headers, Records


class Measured(NamedTuple):
    """Of a run of records. `billed_bytes`: keys, values, header names and values; null counts 0."""

    records: int
    billed_bytes: int
    digest: bytes


def measure(records: Records) -> Measured:
    """Count, weigh and digest a run."""
    blocks = _blocks(records.headers)
    parts = [
        _numbers("q", records.timestamps_ms),
        _numbers("i", _lengths(records.keys)),
        _numbers("i", _lengths(records.values)),
        _numbers("i", _lengths(blocks)),
        *map(_joined, (records.keys, records.values, blocks)),
    ]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return Measured(len(records), weigh(records), digest.digest())


def weigh(records: Records) -> int:
    """Billed bytes of a run."""
    return (
        sum(map(len, filter(None, records.keys)))
        + sum(map(len, filter(None, records.values)))
        + sum(map(_weigh_headers, filter(None, records.headers)))
    )


def weigh_one(key: bytes | None, value: bytes | None, headers: Headers | None) -> int:
    """Billed bytes of one record."""
    return len(key or b"") + len(value or b"") + _weigh_headers(headers or ())


def same(one: Records, other: Records) -> bool:
    """Whether two runs hold the same records, apart from their offsets."""
    return (
        one.values == other.values
        and one.timestamps_ms == other.timestamps_ms
        and one.keys == other.keys
        and one.headers == other.headers
    )


def _weigh_headers(headers: Headers) -> int:
    return sum(len(name.encode()) + len(value or b"") for name, value in headers)


def _lengths(column: Sequence[bytes | None]) -> list[int]:
    try:
        return list(map(len, column))  # type: ignore[arg-type]  # a null raises
    except TypeError:
        return [-1 if cell is None else len(cell) for cell in column]


def _numbers(code: str, numbers: Iterable[int]) -> bytes:
    packed = array(code, numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _joined(column: Sequence[bytes | None]) -> bytes:
    return b"".join(filter(None, column))


def _blocks(column: Sequence[Headers | None]) -> list[bytes | None]:
    if not any(column):
        return [None] * len(column)
    return [_block(headers) if headers else None for headers in column]


def _block(headers: Headers) -> bytes:
    parts = []
    for name, value in headers:
        text = name.encode()
        parts += [struct.pack("<i", len(text)), text]
        parts += [struct.pack("<i", -1 if value is None else len(value)), value or b""]
    return b"".join(parts)
