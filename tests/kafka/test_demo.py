"""The demo in its quick form: the whole story with fewer readings."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from broker.local.background import running_supervisor

pytestmark = pytest.mark.kafka

READINGS = 40_000
DEMO_S = 280.0


def test_the_story_ends_well(tmp_path: Path) -> None:
    """Exits 0; every number of the report is there, and each subscription's counts are equal."""
    arguments = ["demo", "--home", str(tmp_path), "--records", str(READINGS)]
    tmp_path.chmod(0o711)  # as root, PostgreSQL runs as another user, who must come in
    done = subprocess.run(
        [sys.executable, "-P", "-m", "broker", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEMO_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "demo" / "report.json").read_text())
    assert report["valid_records"] == READINGS
    assert report["quarantined"] == sum(report["quarantine_reasons"].values()) >= 500
    assert report["source_records"] == READINGS + report["quarantined"]
    assert report["verified"] is True
    assert (report["router_kills"], report["refused_attempts"]) == (1, 5)
    *others, trial = report["subscriptions"]
    assert [one["entitled"] for one in others] == [READINGS, READINGS]
    assert sorted(trial["cutover"]) == ["0", "1", "2", "3"]
    for one in report["subscriptions"]:
        counts = {one[key] for key in ("entitled", "delivered", "received", "billed_records")}
        assert len(counts) == 1, one
    assert running_supervisor(tmp_path / "demo" / "exchange") is None
