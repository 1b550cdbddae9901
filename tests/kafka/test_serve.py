"""`weir serve` as a process, against real Kafka and PostgreSQL."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from broker.avro.codec import decode_event
from broker.config import KafkaConfig
from broker.domain.events import ProductPublished
from broker.local.kafka import TESTING, EmbeddedKafka
from broker.local.ports import free_ports
from broker.log.kafka import KafkaLog
from broker.log.ports import TopicPartition

LIMIT_S = 120.0
TOKEN = "operator-of-this-test"


@pytest.fixture
def own_kafka(embedded_directory: Path) -> Iterator[EmbeddedKafka]:
    """A broker whose `weir.control` has this test's database behind it alone."""
    with EmbeddedKafka(embedded_directory / "kafka-serve", jvm=TESTING) as running:
        yield running


def _environ(kafka: KafkaConfig, database_url: str, directory: Path) -> dict[str, str]:
    password, token = directory / "password", directory / "token"
    for path, secret in ((password, kafka.password), (token, TOKEN)):
        path.write_text(secret)
        path.chmod(0o600)
    return os.environ | {
        "WEIR_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "WEIR_KAFKA_USERNAME": kafka.username,
        "WEIR_KAFKA_PASSWORD_FILE": str(password),
        "WEIR_DATABASE_URL": database_url,
        "WEIR_TOKEN_FILE": str(token),
    }


@contextmanager
def _serving(environ: dict[str, str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "broker", "serve", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _wait(condition: Callable[[], bool], log: Path) -> None:
    pause = threading.Event()
    for _ in range(int(LIMIT_S / 0.1)):
        if condition():
            return
        pause.wait(0.1)
    pytest.fail(f"not within {LIMIT_S} s; serve said:\n{log.read_text()[-3000:]}")


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_serve(
    own_kafka: EmbeddedKafka, database_url: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    """It migrates, gets ready, publishes what Kafka confirmed, tells no secret, and ends with 0."""
    (port,) = free_ports(1)
    url, log = f"http://127.0.0.1:{port}", tmp_path / "serve.log"
    kafka = own_kafka.config
    environ = _environ(kafka, database_url, tmp_path)
    acme = unique("acme")
    with _serving(environ, port, log) as process:
        _wait(lambda: _ready(url), log)
        operator = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=f"{url}/v1", headers=operator, timeout=LIMIT_S) as api:
            api.post("/organisations", json={"id": acme, "name": "Acme"}).raise_for_status()
            account = api.post(f"/organisations/{acme}/accounts", json={"name": "edge"})
            body = {"id": f"{acme}/wind", "title": "Wind", "partitions": 2}
            api.post("/products", json=body).raise_for_status()
            api.post(f"/products/{acme}/wind/publish").raise_for_status()
            product = f"/products/{acme}/wind"
            _wait(lambda: api.get(product).json()["state"] == "published", log)
            topic_id = api.get(product).json()["topic_id"]
            _wait(lambda: api.get("/status").json()["published_seq"] == 1, log)
            metrics = httpx.get(f"{url}/metrics").text
        assert account.status_code == 201
        assert 'route="/v1/products/{organisation}/{name}"' in metrics
        assert httpx.get(f"{url}/registry/subjects", headers=operator).json() == []

        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0

    reader = KafkaLog(kafka).reader(committed=True)
    try:
        control = TopicPartition("weir.control", 0)
        fetched = reader.read(control, 0, records_max=10, timeout_s=LIMIT_S)
        assert reader.topic_ids([f"product.{acme}.wind"], timeout_s=LIMIT_S) == {
            f"product.{acme}.wind": topic_id
        }
    finally:
        reader.close()
    events = [decode_event(value) for value in fetched.records.values if value is not None]
    mine = [event.event for event in events if isinstance(event.event, ProductPublished)]
    assert topic_id in [event.topic_id for event in mine]
    secret = account.json()["password"]
    said = log.read_text()
    assert secret not in said
    assert TOKEN not in said
    assert kafka.password not in said


def test_a_taken_address_is_named(tmp_path: Path) -> None:
    """A port that somebody else holds is named in one sentence, and how to go on."""
    nowhere = KafkaConfig(bootstrap="127.0.0.1:1", username="x", password="not asked for")
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "broker", "serve", "--port", str(port)],
            env=_environ(nowhere, "postgresql+psycopg://x@127.0.0.1:1/x", tmp_path),
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"127.0.0.1:{port} cannot be listened on" in ended.stderr
