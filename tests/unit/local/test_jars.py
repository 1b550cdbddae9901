"""Pinned jars: what their list says, and what counts as one."""

from hashlib import sha256
from pathlib import Path

import pytest

from broker.errors import SetupError
from broker.local.jars import BROKER_JARS, TOOLS_JARS, Jar, alone, pinned


def test_pins_kafka_and_its_log_binding() -> None:
    """The list is Kafka 4.3.1 with what it needs and the binding without which it logs nothing."""
    jars = pinned(BROKER_JARS)
    names = {jar.name for jar in jars}
    assert len(jars) == 46
    assert {"kafka_2.13-4.3.1.jar", "kafka-clients-4.3.1.jar"} <= names
    assert "log4j-slf4j-impl-2.25.4.jar" in names
    assert [jar.name for jar in pinned(TOOLS_JARS)] == ["kafka-tools-4.3.1.jar"]


def test_path_names_the_coordinates() -> None:
    """A jar's path in the repository says group, artifact and version."""
    jar = Jar("00", "org/apache/kafka/kafka-clients/4.3.1/kafka-clients-4.3.1.jar")
    assert jar.coordinates == ("org.apache.kafka", "kafka-clients", "4.3.1")


def test_a_jar_is_its_hash(tmp_path: Path) -> None:
    """A file that is missing, cut short or altered is not the jar."""
    jar = Jar(sha256(b"whole").hexdigest(), "a/b/1/b-1.jar")
    file = tmp_path / "b-1.jar"
    assert not jar.is_at(file)
    file.write_bytes(b"who")
    assert not jar.is_at(file)
    file.write_bytes(b"whole")
    assert jar.is_at(file)


def test_waiting_for_another_checkout_ends(tmp_path: Path) -> None:
    """Who fills the cache is waited for, not for ever; then it is said what to do."""
    with (
        alone(tmp_path),
        pytest.raises(SetupError, match="end it, and run the same command again"),
        alone(tmp_path, wait_max_s=0.0),
    ):
        pass
    with alone(tmp_path, wait_max_s=0.0):
        assert (tmp_path / ".lock").exists()
