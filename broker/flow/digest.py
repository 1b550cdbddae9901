"""Digest: SHA-256 over delivered records, by columns. `docs/segment.md` says the same in words.

In this order, integers little-endian: timestamps (i64, ms) of all records; key lengths (i32, null
-1); value lengths (i32, null -1); header lengths (i32: bytes of the record's encoded headers, -1
for a record without headers); then all keys, all values, all encoded headers. One encoded header
is name length (i32), UTF-8 name, value length (i32, null -1), value.
"""

import sys
from array import array
from collections.abc import Sequence
from hashlib import sha256

from broker.flow.weigh import lengths
from broker.log.ports import Headers, Records


def digest(records: Records) -> bytes:
    """32 bytes; of no records, the SHA-256 of nothing."""
    columns = [records.keys, records.values]
    hasher = sha256()
    hasher.update(_column("q", records.timestamps_ms))
    hasher.update(_column("i", lengths(records.keys)))
    hasher.update(_column("i", lengths(records.values)))
    if any(records.headers):
        encoded = [_encoded(one) if one else None for one in records.headers]
        hasher.update(_column("i", lengths(encoded)))
        columns.append(encoded)
    else:  # the common case, without a step a record
        hasher.update(_i32(-1) * len(records))
    for column in columns:
        hasher.update(_joined(column))
    return hasher.digest()


def _column(typecode: str, numbers: Sequence[int]) -> bytes:
    column = array(typecode, numbers)
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def _joined(column: Sequence[bytes | None]) -> bytes:
    if None in column:
        return b"".join(value for value in column if value is not None)
    return b"".join(column)  # type: ignore[arg-type]  # no null among them


def _encoded(headers: Headers) -> bytes:
    parts = []
    for name, value in headers:
        encoded = name.encode()
        size = -1 if value is None else len(value)
        parts += [_i32(len(encoded)), encoded, _i32(size), value or b""]
    return b"".join(parts)


def _i32(number: int) -> bytes:
    return number.to_bytes(4, "little", signed=True)
