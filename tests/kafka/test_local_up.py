"""`weir up`, `status`, `down` as a user calls them, with real Kafka and PostgreSQL."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
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
def home() -> Iterator[Path]:
    """An empty home; whatever a failed test left running in it is ended."""
    directory = Path(tempfile.mkdtemp(prefix="weir-home-"))
    directory.chmod(0o711)
    yield directory
    weir("down", directory)
    shutil.rmtree(directory)


def weir(verb: str, home: Path, *arguments: str, code: int | None = 0) -> dict[str, Any]:
    called = [sys.executable, "-m", "broker", verb, "--home", str(home), "--json", *arguments]
    done = subprocess.run(called, capture_output=True, text=True, check=False, timeout=200)
    assert code is None or done.returncode == code, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def left_in(home: Path) -> list[list[str]]:
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if any(str(home) in part for part in line)]


def test_up_survives_kill_and_down_leaves_nothing(home: Path) -> None:
    """One life: up, a killed supervisor, up again with the same data, status, down."""
    first = weir("up", home, "--quick-start", *EMBEDDED_ALONE)
    assert first["well"]
    assert [one["name"] for one in first["processes"]] == ["kafka", "postgres"]
    assert (home / "connections.json").stat().st_mode & 0o777 == 0o600
    admin = AdminClient(connections(home, {}).kafka.client())
    admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(30)

    supervisor = psutil.Process(first["supervisor_pid"])
    embedded = [psutil.Process(one["pid"]) for one in first["processes"]]
    supervisor.kill()
    assert gone([supervisor], timeout_s=30) == []
    assert all(is_running(one) for one in embedded)
    assert weir("status", home, code=1)["up"] is False

    again = weir("up", home, "--quick-start", *EMBEDDED_ALONE)
    assert again["well"]
    assert not any(is_running(one) for one in embedded)
    assert [one["address"] for one in again["processes"]] == [
        one["address"] for one in first["processes"]
    ]
    assert (
        "kept" in AdminClient(connections(home, {}).kafka.client()).list_topics(timeout=30).topics
    )
    assert weir("status", home)["supervisor_pid"] == again["supervisor_pid"]
    assert weir("up", home)["supervisor_pid"] == again["supervisor_pid"]  # it is up: nothing to do

    assert weir("down", home)["stopped"] == ["kafka", "postgres"]
    assert left_in(home) == []
    assert weir("down", home)["stopped"] == []


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
