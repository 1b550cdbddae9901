"""`weir status` after a kill -9 of the supervisor: what it left is shown, not called down."""

import json
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner, Result

from broker.cli import weir
from broker.local.state import ProcessState, State, write_state

US = psutil.Process()


def record(directory: Path, *, started: float) -> None:
    """The record of a process with our pid that began at `started`, in s since 1970."""
    directory.mkdir(parents=True)
    stored = {"pid": US.pid, "started": started, "stop_signal": 15}
    (directory / "process.json").write_text(json.dumps(stored))


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A home whose supervisor is gone: Kafka and a router run, the ledger has ended."""
    record(tmp_path / "kafka", started=US.create_time())
    record(tmp_path / "processes" / "router-1", started=US.create_time())
    record(tmp_path / "processes" / "ledger", started=US.create_time() - 1_000)
    known = [
        ProcessState(name=name, condition="ready", pid=US.pid, address=f"{name}:1")
        for name in ("kafka", "ledger")
    ]
    write_state(tmp_path, State(processes=tuple(known)))
    return tmp_path


def status(home: Path, *options: str) -> Result:
    """`weir status`."""
    return CliRunner().invoke(weir, ["status", "--home", str(home), *options], obj={})


def test_what_still_runs_is_shown(killed: Path) -> None:
    """Each process that runs has a line, and what to do is said; exit 1."""
    shown = status(killed)

    assert shown.exit_code == 1
    assert "its supervisor is gone, these still run; `weir up` takes over" in shown.stdout
    assert "`weir down` stops them" in shown.stdout
    assert "kafka:1" in shown.stdout
    assert "router-1" in shown.stdout
    assert "ledger" not in shown.stdout


def test_json_says_that_nobody_watches(killed: Path) -> None:
    """`up` is false, `orphaned` true; the processes carry what was last known of them."""
    facts = json.loads(status(killed, "--json").stdout)

    assert (facts["up"], facts["orphaned"], facts["well"]) == (False, True, False)
    assert {one["name"]: (one["condition"], one["pid"]) for one in facts["processes"]} == {
        "kafka": ("ready", US.pid),
        "router-1": ("not ready", US.pid),
    }


def test_a_home_where_nothing_runs_is_down(tmp_path: Path) -> None:
    """Records of processes that have ended are no orphans."""
    record(tmp_path / "kafka", started=US.create_time() - 1_000)

    shown = status(tmp_path)

    assert shown.exit_code == 1
    assert shown.stdout == f"{tmp_path}: down; `weir up` starts it\n"
