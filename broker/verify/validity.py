"""Validity: which source records a product refuses, and for what reason, by the documents.

The first rule that a record breaks names it, in this order: too-large; (null values pass);
schema-id-in-header; empty-value; wrong-magic-byte; truncated-header; unknown-, foreign-,
retired-schema-id; undecodable (validation full). `docs/verify.md` says the same.
"""

import io
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import fastavro

from broker.log.ports import Headers, Records
from broker.verify.columns import weigh_one
from broker.verify.rules import Rules

_WIRE_HEADER_BYTES = 5
_ID_HEADER = "__value_schema_id"


def refused(records: Records, rules: Rules) -> dict[int, str]:
    """Index of each refused record, with its reason."""
    if _surely_valid(records, rules):
        return {}
    return {
        index: reason
        for index in range(len(records))
        if (reason := _reason(records, index, rules)) is not None
    }


def _surely_valid(records: Records, rules: Rules) -> bool:
    """True where sets and maxima alone show that nothing can be wrong: the common run."""
    if rules.settings.validation == "full" or any(records.headers):
        return False
    heads = {value[:_WIRE_HEADER_BYTES] for value in records.values if value is not None}
    good = {
        b"\x00" + schema_id.to_bytes(4, "big")
        for schema_id, state in rules.schemas.items()
        if not state.retired
    }
    widest = sum(
        max(map(len, filter(None, column)), default=0) for column in (records.keys, records.values)
    )
    return heads <= good and widest <= rules.settings.record_max_bytes


def _reason(records: Records, index: int, rules: Rules) -> str | None:
    value, headers = records.values[index], records.headers[index]
    size_bytes = weigh_one(records.keys[index], value, headers)
    if size_bytes > rules.settings.record_max_bytes:
        return "too-large"
    if value is None:
        return None
    return next(_faults(value, headers, rules), None)


def _faults(value: bytes, headers: Headers | None, rules: Rules) -> Iterator[str]:
    if any(name == _ID_HEADER and (guid or b"")[:1] == b"\x01" for name, guid in headers or ()):
        yield "schema-id-in-header"
    if not value:
        yield "empty-value"
    elif value[0]:
        yield "wrong-magic-byte"
    elif len(value) < _WIRE_HEADER_BYTES:
        yield "truncated-header"
    else:
        yield from _schema_faults(value, rules)


def _schema_faults(value: bytes, rules: Rules) -> Iterator[str]:
    schema_id = int.from_bytes(value[1:_WIRE_HEADER_BYTES], "big", signed=True)
    state = rules.schemas.get(schema_id)
    if state is None:
        yield "foreign-schema-id" if schema_id in rules.known_ids else "unknown-schema-id"
    elif state.retired:
        yield "retired-schema-id"
    elif rules.settings.validation == "full" and not _decodes(
        value[_WIRE_HEADER_BYTES:], state.schema
    ):
        yield "undecodable"


def _decodes(body: bytes, schema: str) -> bool:
    stream = io.BytesIO(body)
    try:
        fastavro.schemaless_reader(stream, _parsed(schema), None)
    except (EOFError, ValueError, LookupError, TypeError, ArithmeticError):
        return False
    return stream.tell() == len(body)


@lru_cache(maxsize=256)
def _parsed(schema: str) -> Any:
    # Underlying types decide: a decimal made of 400 KB takes 20 s.
    return fastavro.parse_schema(json.loads(schema, object_hook=_without_logical_type))


def _without_logical_type(part: dict[str, Any]) -> dict[str, Any]:
    part.pop("logicalType", None)
    return part
