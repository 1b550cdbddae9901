"""Decode: bytes of `weir.control` and `weir.usage`, read by the schemas in `schemas/` alone.

Avro single-object encoding: C3 01, the schema's CRC-64-AVRO fingerprint (8 bytes, little-endian),
the body. The recount keeps its own decoder so that a fault in the exchange's codec shows here.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

from broker.errors import InvalidFieldError
from broker.resources import schema_texts

_HEADER_BYTES = 10


@dataclass(frozen=True, slots=True)
class ControlLine:
    """One event of `weir.control`. `kind` is the event's record name without namespace."""

    seq: int
    at_ms: int
    kind: str
    fields: Mapping[str, Any]


class Metered(NamedTuple):
    """What a segment says of one subscription."""

    records: int
    billed_bytes: int
    digest: bytes


class Withheld(NamedTuple):
    """What a segment says one subscription was entitled to and could not be given."""

    records: int
    billed_bytes: int


@dataclass(frozen=True, slots=True)
class SegmentLine:
    """One segment as it stands in `weir.usage`; fields as in `schemas/Segment.avsc`.

    `canonical`: the very bytes; `digest`: their SHA-256, which the next segment must name.
    """

    topic: str
    topic_id: str
    product: str
    partition: int
    flow: str
    kind: str
    number: int
    first_offset: int
    next_offset: int
    seq: int
    source_records: int
    source_bytes: int
    refused: Mapping[str, int]
    quarter_ms: int
    billing_first_ms: int
    watermark_ms: int
    previous_digest: bytes
    deliveries: Mapping[str, Metered]
    undeliverable: Mapping[str, Withheld]
    gap_reason: str | None
    canonical: bytes
    digest: bytes


def control_line(data: bytes) -> ControlLine:
    """The event in a record's value.

    Raises:
        InvalidFieldError: these are not the bytes of a control event.
    """
    fields = _decode("ControlEvent", data)
    name, body = fields["event"]
    return ControlLine(fields["seq"], fields["at_ms"], name.rpartition(".")[2], body)


def segment_line(data: bytes) -> SegmentLine:
    """The segment in a record's value.

    Raises:
        InvalidFieldError: these are not the bytes of a segment.
    """
    fields = _decode("Segment", data)
    fields["refused"] = {row["reason"]: row["records"] for row in fields["refused"]}
    fields["deliveries"] = {
        row["subscription"]: Metered(row["records"], row["billed_bytes"], row["digest"])
        for row in fields["deliveries"]
    }
    fields["undeliverable"] = {
        row["subscription"]: Withheld(row["records"], row["billed_bytes"])
        for row in fields["undeliverable"]
    }
    return SegmentLine(**fields, canonical=data, digest=hashlib.sha256(data).digest())


@cache
def _schemas(name: str) -> tuple[Any, dict[bytes, Any]]:
    """The present schema, and the one of each header that a value may begin with."""
    parsed = {}
    for schema in map(json.loads, schema_texts(name)):
        crc = bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
        parsed[b"\xc3\x01" + crc] = fastavro.parse_schema(schema)
    return next(iter(parsed.values())), parsed


def _decode(name: str, data: bytes) -> dict[str, Any]:
    present, known = _schemas(name)
    writer = known.get(data[:_HEADER_BYTES])
    if writer is None:
        raise InvalidFieldError(name, f"has no known encoding: begins {data[:10].hex()}")
    reader = present if writer is not present else None
    body = io.BytesIO(data[_HEADER_BYTES:])
    try:
        fields: dict[str, Any] = fastavro.schemaless_reader(
            body, writer, reader, return_record_name=True, return_record_name_override=True
        )
    except (EOFError, ValueError, IndexError, UnicodeDecodeError) as error:
        raise InvalidFieldError(name, f"does not decode ({error})") from error
    if body.read(1):
        raise InvalidFieldError(name, "has bytes after its body")
    return fields
