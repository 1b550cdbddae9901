"""The canonical text: what makes two schemas one, and what keeps them apart."""

import json

import pytest

from broker.avro.canonical import canonical_text
from broker.avro.schema import read_schema

FIELD = {"name": "a", "type": "int"}
RECORD = {"type": "record", "name": "R", "namespace": "x", "fields": [FIELD]}


def text(tree: object, *, normalize: bool = False) -> str:
    return canonical_text(read_schema(json.dumps(tree)), normalize=normalize)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("string", {"type": "string"}),
        (RECORD, dict(reversed(RECORD.items()))),
        (RECORD, {"type": "record", "name": "x.R", "fields": [FIELD]}),
        (RECORD, {"type": "record", "name": "x.R", "namespace": "ignored", "fields": [FIELD]}),
        (RECORD, {**RECORD, "fields": [{"type": {"type": "int"}, "name": "a"}]}),
        ({**RECORD, "aliases": ["Q"]}, {**RECORD, "aliases": ["x.Q"]}),
    ],
)
def test_the_same(one: object, other: object) -> None:
    """Order of keys, long forms and ways to write a name make no other schema."""
    assert text(one) == text(other)


@pytest.mark.parametrize(
    "other",
    [
        {**RECORD, "namespace": "y"},
        {**RECORD, "doc": "words"},
        {**RECORD, "aliases": ["Q"]},
        {**RECORD, "connect.name": "z"},
        {**RECORD, "fields": [{**FIELD, "default": 1}]},
        {**RECORD, "fields": [{**FIELD, "aliases": ["b"]}]},
        {**RECORD, "fields": [{**FIELD, "order": "ignore"}]},
        {**RECORD, "fields": [{"name": "a", "type": {"type": "int", "logicalType": "date"}}]},
    ],
)
def test_different(other: object) -> None:
    """Docs, aliases, defaults, orders and attributes are part of a schema."""
    assert text(RECORD) != text(other)


def test_normalize_sorts_attributes() -> None:
    """With `normalize` the order of other attributes and the default order make no difference."""
    one = {**RECORD, "b": 1, "a": 2}
    other = {**RECORD, "a": 2, "b": 1, "fields": [{**FIELD, "order": "ascending"}]}
    assert text(one) != text(other)
    assert text(one, normalize=True) == text(other, normalize=True)


def test_a_type_is_written_out_once() -> None:
    """A named type is written where it is met first, and named after that."""
    enum = {"type": "enum", "name": "E", "symbols": ["X"]}
    fields = [{"name": "a", "type": enum}, {"name": "b", "type": "E"}]
    tree = {**RECORD, "fields": fields}
    assert json.loads(text(tree)) == tree


def test_letters_beyond_ascii_are_kept() -> None:
    """A doc in any language is stored as it is written."""
    assert "Größe" in text({**RECORD, "doc": "Größe"})
