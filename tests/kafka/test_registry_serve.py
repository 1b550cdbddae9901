"""The registry as `weir serve` runs it, over real Kafka: stock producer, stock consumer."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from confluent_kafka import DeserializingConsumer, SerializingProducer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from psycopg import sql

from broker.avro.codec import decode_event
from broker.config import KafkaConfig
from broker.domain.events import SchemaRegistered
from broker.domain.names import CONTROL_TOPIC
from broker.local.kafka import TESTING, EmbeddedKafka
from broker.local.postgres import EmbeddedPostgres
from broker.log.kafka import KafkaLog
from broker.log.ports import TopicPartition

pytestmark = pytest.mark.kafka

READY_S = 60.0
REGISTRATIONS = 40
SUBJECT = "product.sun.solar-value"
TOPIC = "product.acme.wind"


@dataclass
class Served:
    """A running `weir serve`."""

    url: str
    kafka: KafkaConfig
    operator: str

    def ask(self, method: str, path: str, token: str, body: Any = None) -> Any:
        """One request under /v1 that must succeed; its body."""
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.request(
            method, f"{self.url}/v1{path}", headers=headers, json=body, timeout=30
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def organisation(self, slug: str) -> str:
        """Let a company in; its token."""
        self.ask("POST", "/organisations", self.operator, {"id": slug, "name": slug})
        made = self.ask("POST", f"/organisations/{slug}/tokens", self.operator, {"name": "first"})
        return str(made["token"])

    def registry(self, token: str) -> SchemaRegistryClient:
        """Confluent's client."""
        return SchemaRegistryClient(
            {"url": f"{self.url}/registry", "basic.auth.user.info": f"any:{token}"}
        )


@pytest.fixture(scope="module")
def served(
    embedded_directory: Path, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """`weir serve` over a broker and a database of its own: `weir.control` has one writer."""
    tmp_path = tmp_path_factory.mktemp("serve")
    database = "test_registry_serve"
    with psycopg.connect(postgres.database_url.replace("+psycopg", ""), autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    database_url = f"{postgres.database_url.removesuffix('/weir')}/{database}"
    with EmbeddedKafka(embedded_directory / "kafka-registry", jvm=TESTING) as kafka:
        operator = secrets.token_hex(16)
        for name, secret in (("password", kafka.config.password), ("token", operator)):
            (tmp_path / name).write_text(secret)
            (tmp_path / name).chmod(0o600)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        environment = os.environ | {
            "WEIR_KAFKA_BOOTSTRAP": kafka.config.bootstrap,
            "WEIR_KAFKA_USERNAME": kafka.config.username,
            "WEIR_KAFKA_PASSWORD_FILE": str(tmp_path / "password"),
            "WEIR_DATABASE_URL": database_url,
            "WEIR_TOKEN_FILE": str(tmp_path / "token"),
        }
        command = [sys.executable, "-m", "broker", "serve", "--home", str(tmp_path / "home")]
        with (tmp_path / "serve.log").open("w") as log:
            process = subprocess.Popen(
                [*command, "--port", str(port)], env=environment, stdout=log, stderr=log
            )
        url = f"http://127.0.0.1:{port}"
        try:
            until(lambda: ready(url), "weir serve is ready", process)
            yield Served(url, kafka.config, operator)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).is_success
    except httpx.TransportError:
        return False


def until(
    condition: Callable[[], bool], what: str, process: subprocess.Popen[bytes] | None = None
) -> None:
    deadline = time.monotonic() + READY_S
    while not condition():
        assert process is None or process.poll() is None, "weir serve ended"
        assert time.monotonic() < deadline, f"not within {READY_S} s: {what}"
        time.sleep(0.05)


def test_stock_clients_over_real_kafka(served: Served) -> None:
    """SerializingProducer registers by itself, DeserializingConsumer reads it back."""
    token = served.organisation("acme")
    served.ask("POST", "/products", token, {"id": "acme/wind", "title": "Wind"})
    served.ask("POST", "/products/acme/wind/publish", token)
    until(
        lambda: served.ask("GET", "/products/acme/wind", token)["state"] == "published",
        "the product is published",
    )
    text = json.dumps(
        {"type": "record", "name": "R", "fields": [{"name": "power", "type": "double"}]}
    )
    producer = SerializingProducer(
        {
            **served.kafka.client(),
            "value.serializer": AvroSerializer(served.registry(token), text),
        }
    )
    sent = [{"power": float(i)} for i in range(100)]
    for value in sent:
        producer.produce(TOPIC, value=value)
    assert producer.flush(30) == 0
    consumer = DeserializingConsumer(
        {
            **served.kafka.client(),
            "group.id": "test",
            "auto.offset.reset": "earliest",
            "value.deserializer": AvroDeserializer(served.registry(token)),
        }
    )
    consumer.subscribe([TOPIC])
    got: list[object] = []

    def all_read() -> bool:
        message = consumer.poll(1.0)
        if message is not None:
            got.append(message.value())
        return len(got) == len(sent)

    try:
        until(all_read, "all records are read")
    finally:
        consumer.close()
    assert got == sent


def test_a_registration_is_in_the_control_log_when_it_answers(served: Served) -> None:
    """Each of forty registrations is found at the log's end as read right after the answer.

    That is what a router does before it refuses an unknown id.
    """
    token = served.organisation("sun")
    client = served.registry(token)
    client.set_compatibility(level="NONE")
    reader = KafkaLog(served.kafka).reader(committed=True)
    control = TopicPartition(CONTROL_TOPIC, 0)
    known: dict[int, str] = {}
    offset = 0
    try:
        for number in range(REGISTRATIONS):
            text = json.dumps({"type": "fixed", "name": "F", "size": number + 1})
            schema_id = client.register_schema(SUBJECT, Schema(text, "AVRO"))
            fetched = reader.read(control, offset, records_max=1_000, timeout_s=10)
            offset = fetched.next_offset
            for value in fetched.records.values:
                event = decode_event(value).event
                if isinstance(event, SchemaRegistered):
                    known[event.schema_id] = event.subject
            assert known.get(schema_id) == SUBJECT, f"registration {number}"
    finally:
        reader.close()
    assert list(known.values()).count(SUBJECT) == REGISTRATIONS
