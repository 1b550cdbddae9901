"""`weir transactions` on a real Kafka: a producer died, or its coordinator forgot it."""

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from broker.config import KafkaConfig
from broker.local.child import wait_until
from broker.local.kafka import TESTING, EmbeddedKafka
from broker.local.secret import write_secret
from broker.local.transactions import Remedy, remedy_of
from broker.local.transactions_tool import Described, OpenAt, TransactionsTool

pytestmark = pytest.mark.kafka

# A producer that begins, produces, sends offsets and is killed before it can end anything.
DIES = """
import json, os, signal, sys
from confluent_kafka import Consumer, Producer, TopicPartition
given = json.load(sys.stdin)
settings, topic = given["settings"], given["topic"]
producer = Producer(settings | {"transactional.id": given["id"], "transaction.timeout.ms": 600000})
producer.init_transactions(60)
producer.begin_transaction()
for partition in (0, 1):
    producer.produce(topic, b"never committed", partition=partition)
if producer.flush(60):
    sys.exit("not delivered")
reader = Consumer(settings | {"group.id": given["group"]})
metadata = reader.consumer_group_metadata()
producer.send_offsets_to_transaction([TopicPartition(topic, 0, 1)], metadata, 60)
os.kill(os.getpid(), signal.SIGKILL)
"""
TIMEOUT_S = 60.0
# Of the coordinator's log.
PREPARE_COMMIT, COMPLETE_COMMIT, COMPLETE_ABORT = 2, 4, 5


def complaints(said: str) -> list[str]:
    """Lines that are no progress."""
    return [line for line in said.splitlines() if not line.startswith(("looking at", "asking"))]


def test_producer_that_died_is_listed_and_its_transaction_aborted(
    kafka: EmbeddedKafka, unique: Callable[[str], str], tmp_path: Path
) -> None:
    """Listed with its age and places; refused while young; once aborted, readers get past it."""
    topic, name = unique("tx"), unique("weir-router")
    dies(kafka.config, topic, name)
    after(kafka.config, topic)
    assert readable(kafka.config, topic) == []
    assert not committed(kafka.config, topic, name, timeout_s=2)

    weir = verb(kafka.config, tmp_path)
    (found,) = [one for one in listed(weir("list", "--json")) if one["transactional_id"] == name]
    assert (found["state"], found["remedy"], found["timeout_s"]) == ("Ongoing", "terminate", 600.0)
    assert 0 < found["age_s"] < 600
    places = {(one["topic"], one["partition"]): one["start_offset"] for one in found["places"]}
    assert places[topic, 0] == places[topic, 1] == 0
    assert {place[0] for place in places} == {topic, "__consumer_offsets"}
    assert name in weir("list", "--topic", topic, "--partition", "1").stdout

    where = ("--topic", topic, "--partition", "0", "--start-offset", "0")
    refused = weir("abort", *where)
    assert refused.returncode == 2
    assert "--even-if-young" in refused.stderr
    assert complaints(refused.stderr) == refused.stderr.splitlines()[-1:]
    assert readable(kafka.config, topic) == []

    done = weir("abort", *where, "--even-if-young")
    assert done.returncode == 0, done.stderr
    assert name in done.stdout
    assert wait_until(lambda: readable(kafka.config, topic) == [b"after"] * 2, timeout_s=TIMEOUT_S)
    assert committed(kafka.config, topic, name, timeout_s=TIMEOUT_S)
    again = weir("abort", *where, "--even-if-young")
    assert again.returncode == 2
    assert "none" in again.stderr


def test_transaction_that_its_coordinator_forgot_is_marked(
    embedded_directory: Path, unique: Callable[[str], str], tmp_path: Path
) -> None:
    """Refused until told that no COMMIT marker stands; then that partition alone gets a marker."""
    topic, name = unique("tx"), unique("weir-router")
    with EmbeddedKafka(embedded_directory / unique("forgets"), jvm=TESTING) as kafka:
        dies(kafka.config, topic, name)
        after(kafka.config, topic)
        forget(kafka.config, name)
        kafka.stop()
        kafka.start()

        weir = verb(kafka.config, tmp_path)
        (found,) = listed(weir("list", "--topic", topic, "--partition", "0", "--json"))
        assert (found["transactional_id"], found["state"]) == (None, "Hanging")
        where = ("--topic", topic, "--partition", "0", "--start-offset", "0", "--even-if-young")
        refused = weir("abort", *where)
        assert refused.returncode == 2
        assert "--no-commit-marker" in refused.stderr
        assert readable(kafka.config, topic) == []

        done = weir("abort", *where, "--no-commit-marker")
        assert done.returncode == 0, done.stderr
        assert "this partition only" in done.stdout
        assert wait_until(lambda: readable(kafka.config, topic) == [b"after"], timeout_s=TIMEOUT_S)
        (other,) = listed(weir("list", "--topic", topic, "--partition", "1", "--json"))
        assert other["state"] == "Hanging"


def test_what_the_coordinator_decided_is_respected(
    embedded_directory: Path, unique: Callable[[str], str], tmp_path: Path
) -> None:
    """Committed: never aborted; aborted: marked; being committed: a restart writes the markers."""
    topics = {decided: unique("tx") for decided in ("committed", "aborted", "committing")}
    states = {"committed": COMPLETE_COMMIT, "aborted": COMPLETE_ABORT, "committing": PREPARE_COMMIT}
    with EmbeddedKafka(embedded_directory / unique("decides"), jvm=TESTING) as kafka:
        for decided, topic in topics.items():
            dies(kafka.config, topic, f"weir-{decided}")
            after(kafka.config, topic)
            decide(kafka.config, f"weir-{decided}", states[decided])
        kafka.stop()
        kafka.start()
        weir = verb(kafka.config, tmp_path)
        told = ("--partition", "0", "--start-offset", "0", "--even-if-young", "--no-commit-marker")

        refused = weir("abort", "--topic", topics["committed"], *told)
        assert refused.returncode == 2
        assert "CompleteCommit" in refused.stderr
        assert readable(kafka.config, topics["committed"]) == []
        (one,) = listed(weir("list", "--topic", topics["committed"], "--partition", "0", "--json"))
        assert one["remedy"] == "committed"

        done = weir("abort", "--topic", topics["aborted"], *told[:-1])
        assert done.returncode == 0, done.stderr
        assert "this partition only" in done.stdout
        assert wait_until(
            lambda: readable(kafka.config, topics["aborted"]) == [b"after"], timeout_s=TIMEOUT_S
        )

        both = sorted([b"after", b"never committed"] * 2)
        assert wait_until(
            lambda: sorted(filter(None, readable(kafka.config, topics["committing"]))) == both,
            timeout_s=TIMEOUT_S,
        )
        ended = weir("abort", "--topic", topics["committing"], *told)
        assert ended.returncode == 2
        assert "none" in ended.stderr


def test_absent_partition_is_one_line(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """A topic that does not exist is answered at once, in one line, exit 2."""
    weir = verb(kafka.config, tmp_path)
    refused = weir("abort", "--topic", "nowhere", "--partition", "0", "--start-offset", "0")
    assert refused.returncode == 2
    assert complaints(refused.stderr) == refused.stderr.splitlines()[-1:]
    assert "nowhere/0" in refused.stderr


def test_transactional_id_that_imitates_the_table_is_itself(
    kafka: EmbeddedKafka, unique: Callable[[str], str]
) -> None:
    """An id with tabs is read as it is; one with a newline makes no other id appear to be open."""
    tabs, victim = unique("a\tb"), unique("weir-router")
    for name in (tabs, f"x\n{victim}"):
        producer = Producer(kafka.config.client() | {"transactional.id": name})
        producer.init_transactions(TIMEOUT_S)
    tool = TransactionsTool(kafka.config)
    assert tabs in {one.transactional_id for one in tool.listings()}
    known = tool.describe(tabs)
    assert known is not None
    assert (known.transactional_id, known.state) == (tabs, "Empty")
    assert tool.describe(victim) is None


@pytest.mark.parametrize(
    ("state", "epoch", "holds", "remedy"),
    [
        ("Ongoing", 4, True, Remedy.TERMINATE),
        ("Ongoing", 4, False, Remedy.UNKNOWN),
        ("Ongoing", 5, True, Remedy.UNKNOWN),
        ("PrepareCommit", 5, True, Remedy.COMMITTED),
        ("CompleteCommit", 5, False, Remedy.COMMITTED),
        ("CompleteCommit", 4, False, Remedy.COMMITTED),
        ("PrepareAbort", 5, True, Remedy.MARK),
        ("CompleteAbort", 5, False, Remedy.MARK),
        ("CompleteAbort", 6, False, Remedy.UNKNOWN),
        ("Empty", 4, False, Remedy.UNKNOWN),
    ],
)
def test_remedy_follows_the_decision(
    state: str, epoch: int, remedy: Remedy, *, holds: bool
) -> None:
    """A committed one is never aborted; one that its coordinator left behind is of unknown end."""
    opened = OpenAt(topic="t", partition=0, producer_id=7, epoch=4, start_offset=0, last_ms=0)
    known = Described(
        transactional_id="id",
        producer_id=7,
        epoch=epoch,
        state=state,
        timeout_ms=1,
        started_ms=None,
        partitions=frozenset({("t", 0)} if holds else ()),
    )
    assert remedy_of(opened, known) is remedy


def dies(config: KafkaConfig, topic: str, name: str) -> None:
    """Leave an open transaction in both partitions of a new topic, and in a group's offsets."""
    admin = AdminClient(config.client())
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(TIMEOUT_S)
    given = {"settings": config.client(), "topic": topic, "id": name, "group": name}
    child = subprocess.run(
        [sys.executable, "-c", DIES],
        input=json.dumps(given),
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr


def after(config: KafkaConfig, topic: str) -> None:
    """Records behind the open transaction, which hold for whether a reader gets past it."""
    producer = Producer(config.client())
    for partition in (0, 1):
        producer.produce(topic, b"after", partition=partition)
    assert producer.flush(TIMEOUT_S) == 0


def readable(config: KafkaConfig, topic: str) -> list[bytes | None]:
    """What a read_committed reader sees of both partitions, up to where it has to wait."""
    reader = Consumer(
        config.client()
        | {
            "group.id": "weir-tests-transactions",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    reader.assign([TopicPartition(topic, number, 0) for number in (0, 1)])
    seen: list[bytes | None] = []
    ends: set[int | None] = set()
    try:
        while len(ends) < 2:
            message = reader.poll(TIMEOUT_S)
            assert message is not None
            if message.error():
                ends.add(message.partition())
            else:
                seen.append(message.value())
    finally:
        reader.close()
    return seen


def committed(config: KafkaConfig, topic: str, group: str, *, timeout_s: float) -> bool:
    """Whether the group's offsets answer; they do not while a transaction holds them up."""
    reader = Consumer(config.client() | {"group.id": group, "isolation.level": "read_committed"})
    try:
        reader.committed([TopicPartition(topic, 0)], timeout=timeout_s)
    except KafkaException:
        return False
    finally:
        reader.close()
    return True


def forget(config: KafkaConfig, name: str) -> None:
    """Take the transaction out of its coordinator's log, as a lost disk would."""
    write_state(config, name, None)


def decide(config: KafkaConfig, name: str, state: int) -> None:
    """Let the coordinator's log say how it was decided; no marker is written of it.

    A coordinator that is loaded anew believes it. While it is being decided its partitions are
    named, afterwards none.
    """
    known = TransactionsTool(config).describe(name)
    assert known is not None
    assert known.started_ms is not None
    places = sorted(known.partitions) if state == PREPARE_COMMIT else []
    # TransactionLogValue, version 0.
    value = struct.pack(">hqhib", 0, known.producer_id, known.epoch, known.timeout_ms, state)
    value += struct.pack(">i", len(places))
    for topic, partition in places:
        value += struct.pack(">h", len(topic)) + topic.encode() + struct.pack(">ii", 1, partition)
    write_state(config, name, value + struct.pack(">qq", known.started_ms, known.started_ms))


def write_state(config: KafkaConfig, name: str, value: bytes | None) -> None:
    # Brokers let only a client of this name write to their own topics.
    producer = Producer(config.client() | {"client.id": "__admin_client"})
    known = AdminClient(config.client()).list_topics("__transaction_state", timeout=TIMEOUT_S)
    count = len(known.topics["__transaction_state"].partitions)
    # Java's hash of a string, by which its coordinator is found.
    hashed = 0
    for character in name:
        hashed = (31 * hashed + ord(character)) & 0xFFFFFFFF
    partition = abs(hashed - (1 << 32) if hashed >> 31 else hashed) % count
    key = struct.pack(">hh", 0, len(name)) + name.encode()
    producer.produce("__transaction_state", value, key, partition=partition)
    assert producer.flush(TIMEOUT_S) == 0


def verb(config: KafkaConfig, home: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """`weir transactions …` in a home that names this Kafka."""
    stored = {
        "bootstrap": config.bootstrap,
        "username": config.username,
        "password": config.password,
    }
    write_secret(home / "connections.json", json.dumps({"kafka": stored}))
    environ = {key: value for key, value in os.environ.items() if not key.startswith("WEIR_")}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "broker", "transactions", *arguments, "--home", str(home)],
            text=True,
            capture_output=True,
            timeout=200,
            check=False,
            env=environ,
        )

    return run


def listed(done: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
