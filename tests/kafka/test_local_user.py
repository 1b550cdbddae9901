"""`weir up` as an ordinary user, with a home and a cache of that user's own."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from broker.local.child import is_running
from broker.local.jars import BROKER_JARS, ensure

pytestmark = pytest.mark.kafka

ROOT = os.geteuid() == 0
# Whom every system has and nothing belongs to.
USER = pwd.getpwnam("nobody") if ROOT else pwd.getpwuid(os.geteuid())
# The interpreter may stand below a /root that only root enters. So the user is given leave to read
# everything, and no other of root's rights: what it makes, owns and signals is an ordinary user's.
READS = "dac_read_search"
BECOME = [
    "setpriv",
    f"--reuid={USER.pw_uid}",
    f"--regid={USER.pw_gid}",
    "--clear-groups",
    f"--inh-caps=-all,+{READS}",
    f"--ambient-caps=-all,+{READS}",
    f"--bounding-set=-all,+{READS}",
]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    """A directory of the user's: `home` to be, `cache/weir` filled."""
    directory = Path(tempfile.mkdtemp(prefix="weir-user-"))
    jars = ensure(BROKER_JARS)
    shutil.copytree(jars, directory / "cache" / "weir" / jars.name)
    for path in (directory, *directory.rglob("*")):
        os.chown(path, USER.pw_uid, USER.pw_gid)
    yield directory
    weir("down", directory)
    shutil.rmtree(directory)


def weir(verb: str, own: Path, *arguments: str, home: Path | None = None, code: int = 0) -> Any:
    """Call a verb as the user; what it prints, or its complaint where it is to fail."""
    called = [sys.executable, "-P", "-m", "broker", verb, "--home", str(home or own / "home")]
    done = subprocess.run(
        [*(BECOME if ROOT else []), *called, "--json", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(own),
            "XDG_CACHE_HOME": str(own / "cache"),
        },
        cwd=own,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == code, done.stderr
    return done.stderr if code else json.loads(done.stdout)


def test_up_and_down_as_an_ordinary_user(own: Path) -> None:
    """The whole exchange runs as that user alone, PostgreSQL too; nothing is left after `down`."""
    up = weir("up", own, "--quick-start")
    assert up["well"]
    processes = [psutil.Process(one["pid"]) for one in up["processes"]]
    processes.append(psutil.Process(up["supervisor_pid"]))
    assert len(processes) == 6
    assert {process.uids().effective for process in processes} == {USER.pw_uid}
    assert {path.stat().st_uid for path in (own / "home").rglob("*")} == {USER.pw_uid}
    assert not (own / "home" / "postgres" / "location").exists()  # it needs no place elsewhere
    assert (own / "home" / "connections.json").stat().st_mode & 0o777 == 0o600

    assert weir("down", own)["stopped"] == ["kafka", "postgres", "serve", "router-1", "ledger"]
    assert not [process for process in processes if is_running(process)]


def test_a_home_that_is_not_ones_own(own: Path, tmp_path: Path) -> None:
    """Where the user may not write, `up` says so in one sentence and starts nothing."""
    home = tmp_path / "home" if ROOT else Path("/home-of-nobody")
    said = weir("up", own, home=home, code=2)
    assert len(said.splitlines()) == 1, said
    assert f"--home: {home}" in said
    assert "name another directory" in said
    assert not home.exists()
