"""Set-up as make runs it, interrupted and offline; a server on this machine stands for the mirror.

It serves the real jars from the cache that this environment was set up with.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from broker.local.child import wait_until
from broker.local.jars import BROKER_JARS, MIRROR, TOOLS_JARS, Jar, ensure, pinned
from broker.local.ports import free_ports
from broker.resources import resource

WAIT_S = 60.0
WHOLE_BEFORE_HOLDING = 10


class Mirror(ThreadingHTTPServer):
    """Serves jars by their path in a repository and writes down which were asked for.

    While it holds, it sends `WHOLE_BEFORE_HOLDING` jars whole and of all others only the first
    half, until it is let go.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_port}"
        lists = [(ensure(name), pinned(name)) for name in (BROKER_JARS, TOOLS_JARS)]
        self.files = {jar.path: directory / jar.name for directory, jars in lists for jar in jars}
        self.asked: list[str] = []
        self.halves: list[str] = []
        self.let_go = threading.Event()
        self._lock = threading.Lock()

    def whole(self, path: str) -> bool:
        """Write down that a jar was asked for; whether it is to be sent whole."""
        with self._lock:
            self.asked.append(path)
            return self.let_go.is_set() or len(self.asked) <= WHOLE_BEFORE_HOLDING


class Answer(BaseHTTPRequestHandler):
    """One request."""

    server: Mirror

    def do_GET(self) -> None:
        """Send the jar, or the first half of it."""
        path = self.path.removeprefix("/")
        if path not in self.server.files:  # checksums: the hashes that count are in the tree
            self.send_error(404)
            return
        content = self.server.files[path].read_bytes()
        whole = self.server.whole(path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if whole:
            self.wfile.write(content)
            return
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        self.server.halves.append(path)
        self.server.let_go.wait(WAIT_S)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    """A running mirror that holds."""
    with Mirror() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.let_go.set()
        server.shutdown()
        thread.join(WAIT_S)


def set_up(cache: Path, url: str) -> subprocess.Popen[str]:
    """The step of set-up that fetches jars, with a cache and a mirror of its own."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "broker.local.jars"],
        env=os.environ | {"XDG_CACHE_HOME": str(cache), MIRROR: url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(cache: Path, url: str) -> None:
    """Run the step to its good end."""
    _, said = (process := set_up(cache, url)).communicate(timeout=WAIT_S)
    assert process.returncode == 0, said


def jars() -> dict[str, Jar]:
    """All pinned jars by file name."""
    return {jar.name: jar for name in (BROKER_JARS, TOOLS_JARS) for jar in pinned(name)}


def in_place(cache: Path) -> list[Path]:
    """What stands in the cache under a jar's name."""
    return list(cache.glob("weir/kafka-*/*.jar"))


def test_a_fetch_that_is_killed_goes_on(tmp_path: Path, mirror: Mirror) -> None:
    """Kill -9 while jars arrive leaves only whole ones; the next run fetches just the others."""
    first = set_up(tmp_path, mirror.url)
    try:
        assert wait_until(lambda: bool(in_place(tmp_path) and mirror.halves), timeout_s=WAIT_S)
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=WAIT_S)
    kept = in_place(tmp_path)
    assert 0 < len(kept) <= WHOLE_BEFORE_HOLDING
    assert all(jars()[file.name].is_at(file) for file in kept)
    assert list(tmp_path.glob("weir/kafka-*/.fetch-*/**/*.jar"))  # it struck in the middle of one

    mirror.let_go.set()
    mirror.asked.clear()
    finished(tmp_path, mirror.url)
    kept_names = {file.name for file in kept}
    fetched = [path.rsplit("/", 1)[1] for path in mirror.asked]
    assert sorted(fetched) == sorted(jars().keys() - kept_names)
    assert {file.name for file in in_place(tmp_path)} == jars().keys()
    assert all(jars()[file.name].is_at(file) for file in in_place(tmp_path))
    assert not list(tmp_path.glob("weir/kafka-*/.fetch-*"))


def test_a_second_run_fetches_nothing_but_what_is_spoilt(tmp_path: Path, mirror: Mirror) -> None:
    """A complete cache asks nobody; a jar that was cut short since is fetched again, it alone."""
    mirror.let_go.set()
    finished(tmp_path, mirror.url)
    assert len(mirror.asked) == len(jars())
    mirror.asked.clear()
    finished(tmp_path, mirror.url)
    assert mirror.asked == []

    spoilt = next(file for file in in_place(tmp_path) if file.name.startswith("kafka-clients"))
    os.truncate(spoilt, spoilt.stat().st_size // 2)
    finished(tmp_path, mirror.url)
    assert mirror.asked == [jars()[spoilt.name].path]
    assert jars()[spoilt.name].is_at(spoilt)


def test_another_jar_than_the_pinned_one_is_not_kept(tmp_path: Path, mirror: Mirror) -> None:
    """What a mirror gives under a jar's name counts only if its hash is ours."""
    mirror.let_go.set()
    path, other = list(mirror.files)[:2]
    mirror.files[path] = mirror.files[other]
    process = set_up(tmp_path, mirror.url)
    _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert said.startswith(f"weir: {path.rsplit('/', 1)[1]}: what was fetched is not the jar")
    assert path.rsplit("/", 1)[1] not in {file.name for file in in_place(tmp_path)}


def test_offline_with_an_empty_cache(tmp_path: Path) -> None:
    """Without a network there is one sentence which says what to do, and no traceback."""
    (nobody_listens,) = free_ports(1)
    process = set_up(tmp_path, f"http://127.0.0.1:{nobody_listens}")
    _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert len(said.splitlines()) == 1, said
    assert "is not in the cache" in said
    assert "connect to the network and run the same command again" in said
    assert in_place(tmp_path) == []


def test_packages_offline_and_what_was_begun(tmp_path: Path) -> None:
    """No package index: one sentence; an installation that was begun is begun anew, not built on.

    pip would take a package over which it was killed for an installed one.
    """
    (nobody_listens,) = free_ports(1)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    offline = {
        "PIP_PROXY": f"http://127.0.0.1:{nobody_listens}",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": os.devnull,
    }
    target = tmp_path / "venv"
    target.mkdir()
    for left in (".created", ".installing", "half"):  # as a killed pip leaves it
        (target / left).touch()
    done = subprocess.run(
        [sys.executable, str(resource("deploy", "setup.py")), str(target)],
        env=environ | offline,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "the package index cannot be reached" in done.stderr
    assert not (target / ".weir-ready").exists()
    assert not (target / "half").exists()
