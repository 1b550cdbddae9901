"""Records of our own topics are read for as long as they are kept, whatever was added since.

`weir.control` is kept for ever: a change of its schema, or of the segments', that forgets the
schema of before would leave every exchange that runs unreadable.
"""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import fastavro
import pytest
from fastavro.schema import fingerprint, to_parsing_canonical_form

from broker.avro import codec
from broker.domain import events as ev
from broker.domain.events import PeriodClosing
from broker.resources import schema_texts
from broker.verify import decode

# Never take one away: it names what stands in topics. One that is not here is new: put it here, and
# the schema that it replaces into `schemas/past/<name>-<n>.avsc`.
WRITTEN = {"Segment": ["e09135ded22fc284"], "ControlEvent": ["fa969bd581120761"]}
SEGMENT: dict[str, Any] = {
    **dict.fromkeys(("topic", "topic_id", "product"), "x"),
    **dict.fromkeys(("partition", "number", "first_offset", "next_offset", "seq"), 1),
    **dict.fromkeys(("source_records", "source_bytes"), 1),
    **dict.fromkeys(("quarter_ms", "billing_first_ms", "watermark_ms"), 1),
    **{key: [] for key in ("refused", "deliveries", "undeliverable")},
    "flow": "live",
    "kind": "records",
    "previous_digest": bytes(32),
}


def crc(schema: Any) -> str:
    return str(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def bytes_of(schema: Any, value: dict[str, Any]) -> bytes:
    """As an exchange of then wrote it."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return b"\xc3\x01" + bytes.fromhex(crc(schema)) + out.getvalue()


@pytest.fixture
def past(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Any, Any], None]]:
    """Makes an earlier schema known beside a present one."""
    texts: dict[str, list[str]] = {}
    caches = (codec._schemas, decode._schemas)
    for module in (codec, decode):
        monkeypatch.setattr(module, "schema_texts", texts.__getitem__)

    def know(name: str, present: Any, earlier: Any) -> None:
        texts[name] = [json.dumps(present), json.dumps(earlier)]
        for cache in caches:
            cache.cache_clear()

    yield know
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("name", WRITTEN)
def test_no_schema_is_forgotten(name: str) -> None:
    """What was ever written is known still: a changed schema keeps the one before it."""
    assert [crc(json.loads(text)) for text in schema_texts(name)] == WRITTEN[name]


def test_segments_from_before_a_field(past: Callable[[str, Any, Any], None]) -> None:
    """A segment written before a field was added has that field's default, for each reader."""
    present = json.loads(schema_texts("Segment")[0])
    [added] = [field for field in present["fields"] if field["name"] == "gap_reason"]
    added["default"] = None
    earlier = present | {"fields": [one for one in present["fields"] if one is not added]}
    past("Segment", present, earlier)

    written = bytes_of(earlier, SEGMENT)

    assert codec.decode_segment(written).gap_reason is None
    assert decode.segment_line(written).gap_reason is None
    assert decode.segment_line(written).canonical == written
    rewritten = codec.encode_segment(codec.decode_segment(written))
    assert rewritten.startswith(b"\xc3\x01" + bytes.fromhex(crc(present)))


def test_events_from_before_a_kind(past: Callable[[str, Any, Any], None]) -> None:
    """An event written before another kind was added is read as it was, and the new one too."""
    present = json.loads(schema_texts("ControlEvent")[0])
    *fields, event = present["fields"]
    fewer = [kind for kind in event["type"] if kind["name"] != "SubscriptionRevoked"]
    earlier = present | {"fields": [*fields, event | {"type": fewer}]}
    past("ControlEvent", present, earlier)
    body = ("weir.PeriodClosing", {"product": "acme/wind", "end_ms": 60_000})

    written = bytes_of(earlier, {"seq": 3, "at_ms": 5, "event": body})

    assert codec.decode_event(written).event == PeriodClosing("acme/wind", 60_000)
    assert decode.control_line(written).fields["end_ms"] == 60_000
    revoked = ev.ControlEvent(4, 5, ev.SubscriptionRevoked("grid/wind", "acme/wind"))
    assert codec.decode_event(codec.encode_event(revoked)) == revoked
