"""Billed bytes: key + value + header names and values, uncompressed; null counts 0."""

from collections.abc import Sequence

from broker.log.ports import Headers, Records


def lengths(column: Sequence[bytes | None]) -> list[int]:
    """Length of each value; -1 for null."""
    if None in column:
        return [-1 if value is None else len(value) for value in column]
    return list(map(len, column))  # type: ignore[arg-type]  # no null among them


def longest(column: Sequence[bytes | None]) -> int:
    """Length of the longest; null counts 0."""
    if None in column:
        return max((len(value) for value in column if value is not None), default=0)
    return max(map(len, column), default=0)  # type: ignore[arg-type]  # no null among them


def column_bytes(column: Sequence[bytes | None]) -> int:
    """Sum of the lengths; null counts 0."""
    if None in column:
        return sum(len(value) for value in column if value is not None)
    return sum(map(len, column))  # type: ignore[arg-type]  # no null among them


def header_bytes(headers: Headers | None) -> int:
    """Names (UTF-8) and values of one record's headers."""
    if not headers:
        return 0
    return sum(len(name.encode()) + len(value or b"") for name, value in headers)


def billed_bytes(records: Records) -> int:
    """Of all these records."""
    return (
        column_bytes(records.keys)
        + column_bytes(records.values)
        + sum(header_bytes(headers) for headers in records.headers if headers)
    )


def record_bytes(records: Records, index: int) -> int:
    """Of one of them."""
    return (
        len(records.keys[index] or b"")
        + len(records.values[index] or b"")
        + header_bytes(records.headers[index])
    )
