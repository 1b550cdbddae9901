"""The benchmark in its quick form: every contender's output is read back and compared."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from broker.bench.run import FAN_OUTS

pytestmark = pytest.mark.kafka

BENCH_S = 240.0


def test_every_contender_is_whole_and_measured(tmp_path: Path) -> None:
    """Exits 0 with rates, ratios, their spread and what they were measured on."""
    arguments = ["--home", str(tmp_path), "--records", "80000", "--faust-records", "1500"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "broker", "bench", *arguments, "--rounds", "1", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=BENCH_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert json.loads((tmp_path / "bench.json").read_text()) == result
    contenders = [f"{kind} fan-out {n}" for n in FAN_OUTS for kind in ("bare", "router")]
    for name in (*contenders, "plain Faust"):
        assert result["medians"][name]["rate"] > 0
    assert set(result["spread"]) == set(result["ratios"])
    assert {"kafka", "java", "librdkafka", "faust-streaming"} <= set(result["machine"])
