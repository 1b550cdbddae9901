"""`weir up`, `status`, `down` as a user calls them, with real Kafka and PostgreSQL."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from broker.config import connections
from broker.local.child import gone, is_running, wait_until
from broker.local.kafka import TESTING, EmbeddedKafka
from broker.local.secret import write_secret

pytestmark = pytest.mark.kafka

EMBEDDED_ALONE = ["--without", "serve", "--without", "router", "--without", "ledger"]


@pytest.fixture
def homes() -> Iterator[Callable[[], Path]]:
    """Makes empty homes; whatever a failed test left running in them is ended."""
    made: list[Path] = []

    def make() -> Path:
        directory = Path(tempfile.mkdtemp(prefix="weir-home-"))
        # As root, PostgreSQL runs as another user, who must come in.
        directory.chmod(0o711)
        made.append(directory)
        return directory

    yield make
    for directory in made:
        weir("down", directory)
        shutil.rmtree(directory)


@pytest.fixture
def home(homes: Callable[[], Path]) -> Path:
    """An empty home."""
    return homes()


def weir(verb: str, home: Path, *arguments: str, code: int | None = 0) -> dict[str, Any]:
    called = [sys.executable, "-m", "broker", verb, "--home", str(home), "--json", *arguments]
    done = subprocess.run(called, capture_output=True, text=True, check=False, timeout=200)
    assert code is None or done.returncode == code, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def left_in(home: Path) -> list[list[str]]:
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if any(str(home) in part for part in line)]


def addresses(facts: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["address"] for one in facts["processes"]}


def test_up_survives_kill_and_down_leaves_nothing(home: Path) -> None:
    """One life: all up, a killed supervisor, up again with the same data, status, down."""
    names = ["kafka", "postgres", "serve", "router-1", "router-2", "ledger"]
    first = weir("up", home, "--quick-start", "--routers", "2")
    assert first["well"]
    assert [one["name"] for one in first["processes"]] == names
    assert (home / "connections.json").stat().st_mode & 0o777 == 0o600
    admin = AdminClient(connections(home, {}).kafka.client())
    admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(30)
    ran = sorted(left_in(home))

    supervisor = psutil.Process(first["supervisor_pid"])
    children = [psutil.Process(one["pid"]) for one in first["processes"]]
    supervisor.kill()
    assert gone([supervisor], timeout_s=30) == []
    assert all(is_running(one) for one in children)
    orphans = weir("status", home, code=1)
    assert (orphans["up"], orphans["orphaned"]) == (False, True)
    assert {one["pid"] for one in orphans["processes"]} == {one.pid for one in children}

    again = weir("up", home, "--quick-start", "--routers", "2")
    assert again["well"]
    assert not any(is_running(one) for one in children)
    assert addresses(again) == addresses(first)
    assert sorted(left_in(home)) == ran  # each once, none of them twice
    assert (
        "kept" in AdminClient(connections(home, {}).kafka.client()).list_topics(timeout=30).topics
    )
    assert weir("status", home)["supervisor_pid"] == again["supervisor_pid"]
    assert weir("up", home)["supervisor_pid"] == again["supervisor_pid"]  # it is up: nothing to do

    assert weir("down", home)["stopped"] == names
    assert left_in(home) == []
    assert weir("down", home)["stopped"] == []


def test_two_homes_at_once(homes: Callable[[], Path]) -> None:
    """Each home has ports of its own and keeps them; `down` of one leaves the other well."""
    one, other = homes(), homes()
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(
            lambda home: weir("up", home, "--quick-start", *EMBEDDED_ALONE), (one, other)
        )
    assert first["well"]
    assert second["well"]
    assert not set(addresses(first).values()) & set(addresses(second).values())

    weir("down", one)
    assert left_in(one) == []
    still = weir("status", other)
    assert still["well"]
    assert still["processes"] == second["processes"]
    assert AdminClient(connections(other, {}).kafka.client()).list_topics(timeout=30).brokers

    assert addresses(weir("up", one, "--quick-start", *EMBEDDED_ALONE)) == addresses(first)
    assert weir("status", other)["well"]


@pytest.fixture
def own_kafka(home: Path) -> Iterator[EmbeddedKafka]:
    """A second broker, which `weir up` knows nothing of."""
    with EmbeddedKafka(home / "elsewhere", jvm=TESTING) as running:
        yield running


def test_own_clusters_in_the_foreground(
    home: Path, own_kafka: EmbeddedKafka, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over clusters that the environment names only our processes run; Ctrl-C ends those alone."""
    exchange = home / "exchange"
    password = home / "password"
    write_secret(password, own_kafka.config.password)
    monkeypatch.setenv("WEIR_KAFKA_BOOTSTRAP", own_kafka.config.bootstrap)
    monkeypatch.setenv("WEIR_KAFKA_USERNAME", own_kafka.config.username)
    monkeypatch.setenv("WEIR_KAFKA_PASSWORD_FILE", str(password))
    monkeypatch.setenv("WEIR_DATABASE_URL", database_url)
    called = [sys.executable, "-m", "broker", "up", "--foreground", "--home", str(exchange)]
    supervisor = subprocess.Popen(called)
    try:
        assert wait_until(
            lambda: supervisor.poll() is not None or weir("status", exchange, code=None)["well"],
            timeout_s=200,
        )
        facts = weir("status", exchange)
        assert [one["name"] for one in facts["processes"]] == ["serve", "router-1", "ledger"]
        assert connections(exchange, {}).kafka == own_kafka.config
        assert connections(exchange, {}).database_url == database_url
    finally:
        supervisor.send_signal(signal.SIGINT)
        supervisor.wait(100)
    assert supervisor.returncode == 0
    assert left_in(exchange) == []
    assert own_kafka.ready()
