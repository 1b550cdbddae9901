"""What a schema may be: the specification's rules and our limits, each refusal by its place."""

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.avro.canonical import canonical_text
from broker.avro.limits import BRANCHES_MAX, FIELDS_MAX, FIXED_BYTES_MAX, NESTING_MAX
from broker.avro.schema import read_schema
from broker.avro.strict_json import NESTING_MAX as JSON_NESTING_MAX
from broker.avro.strict_json import TEXT_BYTES_MAX
from broker.avro.types import Type
from broker.errors import InvalidFieldError


def record(*fields: dict[str, Any], name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(type_: Any, name: str = "a", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **more}


def nested(depth: int) -> Any:
    tree: Any = "int"
    for _ in range(depth):
        tree = {"type": "array", "items": tree}
    return tree


def doubling(levels: int) -> dict[str, Any]:
    """A few lines that come to 2 ** levels fields when they are written out."""
    tree = record(field("int"), name="L0")
    for level in range(1, levels):
        tree = record(field(tree), field(f"L{level - 1}", "b"), name=f"L{level}")
    return tree


ENUM = {"type": "enum", "name": "E", "symbols": ["X", "Y"]}
NULLS = record(field("null"), name="N")
SPARSE = record(field("boolean", "b"), *(field("null", f"n{i}") for i in range(5)), name="S")


@pytest.mark.parametrize(
    "tree",
    [
        "string",
        {"type": "string"},
        {"type": "long", "logicalType": "timestamp-millis"},
        ["null", "string"],
        record(),
        nested(NESTING_MAX),
        record(*(field("int", f"f{i}") for i in range(FIELDS_MAX))),
        record(field(ENUM), field("E", "b")),
        record(field(ENUM), field("x.E", "b"), namespace="x"),
        record(field(["null", "int"], default=None)),
        record(field(["null", "int"], default=1)),  # any branch, since Avro 1.12
        record(field("bytes", default="\u00ff")),
        record(field({"type": "map", "values": "int"}, default={"k": 1})),
        record(field(record(field("int", default=1), name="N"), default={})),
        record(field(ENUM, default="X")),
        record(field("double", default=1)),
        {"type": "error", "name": "R", "fields": []},
        {"type": "enum", "name": "E", "symbols": ["X"], "default": "X"},
        {"type": "fixed", "name": "F", "size": 16},
        {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        {"type": "map", "values": {"type": "array", "items": "string"}},
    ],
    ids=lambda tree: json.dumps(tree)[:60],
)
def test_taken(tree: object) -> None:
    """What the specification and the limits allow is taken, and the decoder takes it too."""
    text = json.dumps(tree)
    fastavro.parse_schema(json.loads(canonical_text(read_schema(text))))


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        # limits
        (nested(NESTING_MAX + 1), "schema"),
        (record(field(nested(NESTING_MAX))), "schema"),
        (record(*(field("int", f"f{i}") for i in range(FIELDS_MAX + 1))), "schema"),
        (doubling(30), "schema." + ".".join(["fields[0].type"] * 20)),
        (record(field("R")), "schema.fields[0].type"),
        (record(field(["null", "R"])), "schema.fields[0].type[1]"),
        (record(field({"type": "array", "items": "R"})), "schema.fields[0].type.items"),
        ({"type": "array", "items": "null"}, "schema.items"),
        ({"type": "map", "values": "null"}, "schema.values"),
        ({"type": "array", "items": SPARSE}, "schema.items"),
        ({"type": "map", "values": ["null", SPARSE]}, "schema.values"),
        ({"type": "array", "items": record(field(SPARSE), field("int", "b"))}, "schema.items"),
        ({"type": "array", "items": record()}, "schema.items"),
        ({"type": "array", "items": NULLS}, "schema.items"),
        (
            record(field("int"), field({"type": "array", "items": NULLS}, "b")),
            "schema.fields[1].type.items",
        ),
        ({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}, "schema.items"),
        ({"type": "fixed", "name": "F", "size": FIXED_BYTES_MAX + 1}, "schema.size"),
        (
            [{"type": "fixed", "name": f"F{i}", "size": 1} for i in range(BRANCHES_MAX + 1)],
            "schema",
        ),
        # names
        (record(name="1a"), "schema.name"),
        (record(name="a-b"), "schema.name"),
        (record(name="a..b"), "schema.name"),
        (record(name="string"), "schema.name"),
        (record(name="x.int"), "schema.name"),
        (record(namespace="a.1"), "schema.namespace"),
        (record(namespace=5), "schema.namespace"),
        (record(aliases="a"), "schema.aliases"),
        (record(aliases=["a b"]), "schema.aliases[0]"),
        (record(field("int", "a b")), "schema.fields[0].name"),
        (record(field("int", "ä")), "schema.fields[0].name"),
        (record(field("int", aliases=[1])), "schema.fields[0].aliases[0]"),
        (record(field("int"), field("int")), "schema.fields[1].name"),
        (record(field(record()), name="R"), "schema.fields[0].type.name"),
        (record(field(ENUM), field(ENUM, "b")), "schema.fields[1].type.name"),
        # types
        ("nothing", "schema"),
        (record(field("nothing")), "schema.fields[0].type"),
        (record(field("E"), field(ENUM, "b")), "schema.fields[0].type"),
        (5, "schema"),
        (None, "schema"),
        ({}, "schema.type"),
        ({"type": 5}, "schema.type"),
        ({"type": "nothing"}, "schema.type"),
        ({"type": {"type": "string"}}, "schema.type"),
        ({"type": "record", "name": "R"}, "schema.fields"),
        ({"type": "record", "fields": []}, "schema.name"),
        ({"type": "record", "name": "R", "fields": [5]}, "schema.fields[0]"),
        (record({"name": "a"}), "schema.fields[0].type"),
        (record(field("int", order="up")), "schema.fields[0].order"),
        (record(field("int", doc=5)), "schema.fields[0].doc"),
        ({"type": "array"}, "schema.items"),
        ({"type": "map"}, "schema.values"),
        ({"type": "fixed", "name": "F"}, "schema.size"),
        ({"type": "fixed", "name": "F", "size": -1}, "schema.size"),
        ({"type": "fixed", "name": "F", "size": True}, "schema.size"),
        ({"type": "enum", "name": "E", "symbols": []}, "schema.symbols"),
        ({"type": "enum", "name": "E", "symbols": ["X", "X"]}, "schema.symbols[1]"),
        ({"type": "enum", "name": "E", "symbols": ["a b"]}, "schema.symbols[0]"),
        ({"type": "enum", "name": "E", "symbols": ["X"], "default": "Y"}, "schema.default"),
        ([], "schema"),
        (["int", "int"], "schema[1]"),
        ([["int"]], "schema[0]"),
        ([nested(1), nested(1)], "schema[1]"),
        # defaults
        (record(field("int", default="1")), "schema.fields[0].default"),
        (record(field("int", default=1.5)), "schema.fields[0].default"),
        (record(field("int", default=True)), "schema.fields[0].default"),
        (record(field("int", default=2**31)), "schema.fields[0].default"),
        (record(field("long", default=2**63)), "schema.fields[0].default"),
        (record(field("float", default=1e39)), "schema.fields[0].default"),
        (record(field("string", default=None)), "schema.fields[0].default"),
        (record(field("null", default=0)), "schema.fields[0].default"),
        (record(field("bytes", default="\u0100")), "schema.fields[0].default"),
        (record(field(ENUM, default="Z")), "schema.fields[0].default"),
        (record(field(ENUM, default=[])), "schema.fields[0].default"),
        (record(field(["null", "int"], default="x")), "schema.fields[0].default"),
        (record(field(nested(1), default=[1, "x"])), "schema.fields[0].default[1]"),
        (
            record(field({"type": "map", "values": "int"}, default={"k": "x"})),
            'schema.fields[0].default["k"]',
        ),
        (record(field(record(field("int"), name="N"), default={})), "schema.fields[0].default.a"),
        # logical types
        ({"type": "bytes", "logicalType": "decimal"}, "schema.precision"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 0}, "schema.precision"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 3}, "schema.scale"),
        (
            {"type": "fixed", "name": "F", "size": 1, "logicalType": "decimal", "precision": 9},
            "schema.precision",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value)[:50],
)
def test_refused(tree: object, place: str) -> None:
    """What breaks a rule is refused, and the place is named as the caller wrote it."""
    with pytest.raises(InvalidFieldError) as refused:
        read_schema(json.dumps(tree))
    assert refused.value.field == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "string",
        '"int" "int"',
        '{"type": "record", "name": "A", "name": "B", "fields": []}',
        '{"type": "int", "x": NaN}',
        '{"type": "int", "x": -Infinity}',
        '{"type": "int", "x": 1e999}',
        '{"type": "int", "x": ' + "1" * 5000 + "}",
        '{"type": "int", "x": "\\ud800"}',
        '{"type": "int", "x": "\ud800"}',
        '{"type": "int", "x": "\x00"}',
        "[" * 60_000,
        '{"type":"array","items":' * 2_000,
        "[" * (JSON_NESTING_MAX + 1) + "]" * (JSON_NESTING_MAX + 1),
        '"' + "x" * TEXT_BYTES_MAX + '"',
    ],
    ids=lambda text: repr(text[:40]),
)
def test_text_refused(text: str) -> None:
    """Text that is no strict JSON, or a bomb, is refused before anyone looks at what it says."""
    with pytest.raises(InvalidFieldError) as refused:
        read_schema(text)
    assert refused.value.field == "schema"


def test_brackets_in_a_text_are_not_nesting() -> None:
    """Only structure counts; a doc may hold any number of brackets, and quotes."""
    read_schema(json.dumps(record(doc='"' + "[{" * 1000 + "\\")))


def test_a_text_of_the_greatest_size_is_taken() -> None:
    """64 KiB is allowed, one byte more is not."""
    empty = len(json.dumps(record(doc="")))
    assert read_schema(json.dumps(record(doc="x" * (TEXT_BYTES_MAX - empty))))
    with pytest.raises(InvalidFieldError):
        read_schema(json.dumps(record(doc="x" * (TEXT_BYTES_MAX - empty + 1))))


def outcome(text: str) -> tuple[Type | None, str]:
    try:
        return read_schema(text), ""
    except InvalidFieldError as refused:
        return None, refused.field


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
WORDS = st.sampled_from(
    ["null", "int", "string", "record", "array", "map", "enum", "fixed", "R", "a.R", "", "decimal"]
)
KEYS = st.sampled_from(
    [
        *("type", "name", "namespace", "fields", "items", "values", "symbols", "size", "default"),
        *("aliases", "doc", "order", "logicalType", "precision", "scale"),
    ]
)
NEARLY = st.recursive(
    WORDS | st.integers(-1, 3) | st.none() | st.just("X"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner | WORDS, max_size=5),
    max_leaves=20,
)


@given(JUNK | NEARLY)
@settings(max_examples=400, deadline=None)
@example({"type": "record", "name": "R", "fields": [{"name": "a", "type": ["null", "R"]}]})
def test_anything_is_taken_or_refused_by_name(tree: object) -> None:
    """Whatever JSON comes, the outcome is a schema or one named refusal, never another error."""
    taken, refused = outcome(json.dumps(tree))
    if taken is None:
        assert refused.startswith("schema")
    else:
        text = canonical_text(taken)
        assert canonical_text(read_schema(text)) == text


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_taken_or_refused_by_name(text: str) -> None:
    """The same for what is not even JSON."""
    taken, refused = outcome(text)
    assert taken is not None or refused == "schema"


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_what_is_taken_cannot_blow_up_a_decoder(data: st.DataObject) -> None:
    """The decoder of a schema that was taken ends on any bytes, with a value or an error.

    Any array needs at least a byte an item, so that a few bytes cannot claim a billion items.
    """
    leaf = st.sampled_from(["int", "string", "null", "bytes", "double"])
    shape = st.recursive(
        leaf,
        lambda inner: (
            st.builds(lambda t: {"type": "array", "items": t}, inner)
            | st.builds(lambda t: {"type": "map", "values": t}, inner)
            | st.builds(lambda t: record(field(t), field("int", "b")), inner)
        ),
        max_leaves=4,
    )
    try:
        read_schema(text := json.dumps(data.draw(shape)))
    except InvalidFieldError:
        return
    body = data.draw(st.binary(max_size=40))
    try:
        fastavro.schemaless_reader(io.BytesIO(body), fastavro.parse_schema(json.loads(text)), None)
    except (EOFError, ValueError, IndexError, OverflowError, MemoryError):
        return
