"""Bytes of our own topics: Avro single-object encoding of the schemas in `schemas/`.

C3 01, the schema's CRC-64-AVRO fingerprint (8 bytes, little-endian), then the body; see
"Single-object encoding" in the Avro 1.12 specification. The fingerprint names the writer's schema,
so a reader never guesses which version it has before it: what an earlier version wrote is read with
its schema (`schemas/past/`) and resolved to the present one.
"""

import io
import json
from dataclasses import asdict
from functools import cache
from typing import Any

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

from broker.domain import events as ev
from broker.domain.segment import Delivery, Refused, Segment, Undeliverable
from broker.errors import InvalidFieldError
from broker.resources import schema_texts

_MARKER = b"\xc3\x01"
_HEADER_BYTES = 10


def encode_segment(segment: Segment) -> bytes:
    """Canonical bytes of a segment; their SHA-256 is its digest in the chain."""
    return _encode("Segment", asdict(segment))


def decode_segment(data: bytes) -> Segment:
    """The segment in a record's value.

    Raises:
        InvalidFieldError: these are not the bytes of a segment.
    """
    fields = _decode("Segment", data)
    fields["refused"] = tuple(Refused(**row) for row in fields["refused"])
    fields["deliveries"] = tuple(Delivery(**row) for row in fields["deliveries"])
    fields["undeliverable"] = tuple(Undeliverable(**row) for row in fields["undeliverable"])
    return Segment(**fields)


def encode_event(control: ev.ControlEvent) -> bytes:
    """Bytes of a control event."""
    name = type(control.event).__name__
    body = {f: getattr(control.event, f) for f in control.event.__dataclass_fields__}
    event = (f"weir.{name}", body)
    return _encode("ControlEvent", {"seq": control.seq, "at_ms": control.at_ms, "event": event})


def decode_event(data: bytes) -> ev.ControlEvent:
    """The control event in a record's value.

    Raises:
        InvalidFieldError: these are not the bytes of a control event.
    """
    fields = _decode("ControlEvent", data)
    name, body = fields["event"]
    event = getattr(ev, name.removeprefix("weir."))(**body)
    return ev.ControlEvent(fields["seq"], fields["at_ms"], event)


@cache
def _schemas(name: str) -> dict[bytes, Any]:
    """Schema by the header of what it wrote; the present one first."""
    found = {}
    for text in schema_texts(name):
        schema = json.loads(text)
        crc = fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")
        found[_MARKER + bytes.fromhex(crc)] = fastavro.parse_schema(schema)
    return found


def _encode(name: str, fields: dict[str, Any]) -> bytes:
    header, schema = next(iter(_schemas(name).items()))
    out = io.BytesIO()
    out.write(header)
    fastavro.schemaless_writer(out, schema, fields)
    return out.getvalue()


def _decode(name: str, data: bytes) -> dict[str, Any]:
    schemas = _schemas(name)
    written = schemas.get(data[:_HEADER_BYTES])
    if written is None:
        raise InvalidFieldError(name, f"not a known encoding: begins {data[:10].hex()}")
    present = next(iter(schemas.values()))
    body = io.BytesIO(data[_HEADER_BYTES:])
    try:
        fields = fastavro.schemaless_reader(
            body,
            written,
            None if written is present else present,
            return_record_name=True,
            return_record_name_override=True,
        )
    except (EOFError, ValueError, IndexError, UnicodeDecodeError) as error:
        raise InvalidFieldError(name, f"body does not decode ({error})") from error
    if body.read(1):
        raise InvalidFieldError(name, "bytes follow the body")
    result: dict[str, Any] = fields
    return result
