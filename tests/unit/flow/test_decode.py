"""Decode: router and recount judge a body by its underlying types, each with code of its own."""

import json
from collections.abc import Callable

import pytest

from broker.flow.decode import decodes as routed
from broker.verify.validity import _decodes as recounted

DATE = {"type": "int", "logicalType": "date"}
UUID = {"type": "string", "logicalType": "uuid"}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 2}
ARRAY = {"type": "array", "items": DATE}
RECORD = {"type": "record", "name": "R", "fields": [{"name": "at", "type": ["null", DATE]}]}
# Day 2,147,483,647 since 1970: no calendar has it, and an int it is all the same.
LAST = b"\xfe\xff\xff\xff\x0f"


@pytest.mark.parametrize("judge", [routed, lambda schema, body: recounted(body, schema)])
@pytest.mark.parametrize(
    ("schema", "body", "good"),
    [
        (DATE, LAST, True),
        (UUID, b"\x06xyz", True),
        (DECIMAL, b"\x02\x7f", True),
        (DECIMAL, b"\xc0\xb8\x02" + b"\x7f" * 20_000, True),
        (ARRAY, b"\x02" + LAST + b"\x00", True),
        (RECORD, b"\x02" + LAST, True),
        (RECORD, b"\x00", True),
        ("int", LAST + b"\x00", False),
        (UUID, b"\x06xy", False),
        (UUID, b"\x02\xff", False),
        (RECORD, b"\x04", False),
        (RECORD, b"", False),
    ],
)
def test_logical_types_do_not_decide(
    judge: Callable[[str, bytes], bool], schema: object, body: bytes, *, good: bool
) -> None:
    """A body is good where the types beneath read it to its last byte, and only there."""
    assert judge(json.dumps(schema), body) is good
