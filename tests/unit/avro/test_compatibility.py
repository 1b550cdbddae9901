"""Schema resolution: a table of pairs per rule. `tests/kafka` asks Java about the same table."""

import json
from pathlib import Path
from typing import Any

import pytest

from broker.avro.compatibility import FINDINGS_MAX, can_read
from broker.avro.modes import Mode, Version, violations
from broker.avro.schema import read_schema
from broker.avro.types import Type

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "compatibility.jsonl").read_text().splitlines()
]
A: dict[str, Any] = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}


def read(tree: object) -> Type:
    return read_schema(json.dumps(tree))


def with_fields(*fields: dict[str, Any]) -> Type:
    return read({**A, "fields": [*A["fields"], *fields]})


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['rule']}: {case['why']}")
def test_rules(case: dict[str, Any]) -> None:
    """A pair is compatible as the specification says; if not, the first finding names the place."""
    found = can_read(read(case["reader"]), read(case["writer"]))
    assert (found == ()) == case["compatible"]
    if "place" in case:
        assert found[0].place == case["place"]


def test_an_ambiguous_alias_is_found() -> None:
    """A reader's field whose name and alias are both in the writer's could mean either."""
    writer = with_fields({"name": "b", "type": "int"})
    reader = read({**A, "fields": [{"name": "a", "type": "int", "aliases": ["b"]}]})
    (finding,) = can_read(reader, writer)
    assert (finding.rule, finding.place) == ("AMBIGUOUS_FIELD", "schema.fields[0].aliases")


def test_findings_are_bounded() -> None:
    """A thousand new fields without defaults give twenty findings, not a thousand."""
    fields = [{"name": f"f{i}", "type": "int"} for i in range(999)]
    assert len(can_read(with_fields(*fields), with_fields())) == FINDINGS_MAX


ADDED = {"name": "b", "type": "int"}
OPTIONAL = {"name": "c", "type": "int", "default": 0}


@pytest.mark.parametrize(
    ("mode", "new", "versions", "allowed"),
    [
        (Mode.NONE, "string", ["int"], True),
        (Mode.BACKWARD, "long", ["int"], True),
        (Mode.BACKWARD, "int", ["long"], False),
        (Mode.BACKWARD, "double", ["string", "int"], True),  # the last version alone
        (Mode.BACKWARD_TRANSITIVE, "double", ["string", "int"], False),
        (Mode.BACKWARD_TRANSITIVE, "double", ["int", "long"], True),
        (Mode.FORWARD, "int", ["long"], True),
        (Mode.FORWARD, "long", ["int"], False),
        (Mode.FORWARD, "int", ["string", "long"], True),
        (Mode.FORWARD_TRANSITIVE, "int", ["string", "long"], False),
        (Mode.FORWARD_TRANSITIVE, "int", ["double", "long"], True),
        (Mode.FULL, "bytes", ["string"], True),
        (Mode.FULL, "long", ["int"], False),
        (Mode.FULL, "int", ["long"], False),
        (Mode.FULL, "bytes", ["int", "string"], True),
        (Mode.FULL_TRANSITIVE, "bytes", ["int", "string"], False),
        (Mode.FULL_TRANSITIVE, "bytes", ["bytes", "string"], True),
        *((mode, "int", [], True) for mode in Mode),  # the first version is always allowed
    ],
)
def test_modes(mode: Mode, new: str, versions: list[str], allowed: bool) -> None:  # noqa: FBT001
    """Each of the seven modes compares with the right versions in the right directions."""
    numbered = [Version(i, read(one)) for i, one in enumerate(versions, start=1)]
    assert (not violations(mode, read(new), numbered)) == allowed


@pytest.mark.parametrize(
    ("mode", "field", "allowed"),
    [
        (Mode.BACKWARD, OPTIONAL, True),
        (Mode.BACKWARD, ADDED, False),
        (Mode.FORWARD, OPTIONAL, True),
        (Mode.FORWARD, ADDED, True),
        (Mode.FULL, OPTIONAL, True),
        (Mode.FULL, ADDED, False),
    ],
)
def test_modes_and_an_added_field(
    mode: Mode,
    field: dict[str, Any],
    allowed: bool,  # noqa: FBT001
) -> None:
    """A field that is added needs a default where new schemas read old data."""
    assert (not violations(mode, with_fields(field), [Version(1, with_fields())])) == allowed


def test_a_violation_names_version_place_and_rule() -> None:
    """The sentence says who cannot read whom, where, and why."""
    (said,) = violations(Mode.BACKWARD, with_fields(ADDED), [Version(7, with_fields())])
    assert "schema.fields[1]" in said
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in said
    assert "version 7" in said
