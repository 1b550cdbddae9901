"""The embedded pair is real: stock clients write, read and ask."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from broker.control.provision_users import ScramUsers
from broker.errors import SetupError
from broker.local.child import wait_until
from broker.local.kafka import TESTING, EmbeddedKafka
from broker.local.postgres import EmbeddedPostgres

pytestmark = pytest.mark.kafka


def test_produces_and_consumes_over_scram(
    kafka: EmbeddedKafka, unique: Callable[[str], str]
) -> None:
    """A stock client that proves itself by SCRAM writes a record and reads it back."""
    topic = unique("product.acme.wind")
    admin = AdminClient(kafka.config.client())
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    producer = Producer(kafka.config.client())
    producer.produce(topic, key=b"turbine", value=b"spins")
    assert producer.flush(30) == 0
    consumer = Consumer(
        {**kafka.config.client(), "group.id": unique("group"), "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    assert message.error() is None
    assert (message.key(), message.value()) == (b"turbine", b"spins")


def test_refuses_a_wrong_password(kafka: EmbeddedKafka) -> None:
    """Whoever does not know the administrator's password learns nothing of the cluster."""
    settings = {**kafka.config.client(), "sasl.password": "wrong", "log_level": 0}
    with pytest.raises(KafkaException):
        AdminClient(settings).list_topics(timeout=5)


def test_barred_users_outlast_a_restart(tmp_path: Path) -> None:
    """After a restart a barred user is still refused, and everybody else let in.

    A user that is removed instead can cost every other its log-in then, by the order of names.
    """
    with EmbeddedKafka(tmp_path / "kafka", jvm=TESTING) as kafka:
        users = ScramUsers(kafka.config)
        for name in ("acme.b", "acme.d"):
            users.set_password(name, "secret")
        users.bar("acme.b")
        kafka.kill()
        kafka.start()
        assert topics_of(kafka, kafka.config.username, kafka.config.password) == set()
        assert topics_of(kafka, "acme.d", "secret") == set()
        with pytest.raises(KafkaException):
            topics_of(kafka, "acme.b", "secret")


def test_broker_that_refuses_its_administrator_says_so(tmp_path: Path) -> None:
    """The reason is neither a time-out nor a line of Java's."""
    with EmbeddedKafka(tmp_path / "kafka", jvm=TESTING) as kafka:
        ScramUsers(kafka.config).set_password(kafka.config.username, "another")
        assert wait_until(lambda: not kafka.ready(), timeout_s=20)
        assert wait_until(lambda: "not for its own administrator" in kafka.why(), timeout_s=20)


def topics_of(kafka: EmbeddedKafka, username: str, password: str) -> set[str]:
    """What a user sees."""
    who = {"sasl.username": username, "sasl.password": password, "log_level": 0}
    return set(AdminClient({**kafka.config.client(), **who}).list_topics(timeout=10).topics)


def test_holds_no_secret_where_others_can_read(kafka: EmbeddedKafka) -> None:
    """The password is in files of mode 0600 only, and in no log."""
    password = kafka.config.password
    files = [path for path in kafka.directory.iterdir() if path.is_file()]
    holders = [path for path in files if password in path.read_text()]
    assert holders
    assert {path.stat().st_mode & 0o777 for path in holders} == {0o600}
    assert not [log for log in kafka.logs.iterdir() if password in log.read_text()]


def test_postgres_is_18_and_empty(database_url: str, postgres: EmbeddedPostgres) -> None:
    """Each test has an empty database of its own in PostgreSQL 18."""
    assert database_url != postgres.database_url
    with psycopg.connect(database_url.replace("+psycopg", "")) as session:
        (version,) = session.execute("SELECT version()").fetchone() or ("",)
        tables = session.execute("SELECT * FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert version.startswith("PostgreSQL 18.")
    assert tables == []


def test_a_taken_port_is_chosen_anew(embedded_directory: Path) -> None:
    """Where another program took the remembered port, the next start takes another, data kept."""
    directory = embedded_directory / "postgres-moves"
    with EmbeddedPostgres(directory) as first:
        old = first.address
        with psycopg.connect(first.database_url.replace("+psycopg", "")) as session:
            session.execute("CREATE TABLE kept (n int)")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", int(old.rsplit(":", 1)[1])))
        taken.listen()
        with EmbeddedPostgres(directory) as second:
            assert second.address != old
            with psycopg.connect(second.database_url.replace("+psycopg", "")) as session:
                assert session.execute("SELECT * FROM kept").fetchall() == []


def test_one_owner_a_directory(postgres: EmbeddedPostgres) -> None:
    """A second server on a directory in use is refused before anything is started."""
    with pytest.raises(SetupError, match="in use by another process"):
        EmbeddedPostgres(postgres.directory).start()
    assert postgres.ready()


def test_a_killed_server_is_launched_again(embedded_directory: Path) -> None:
    """By the object that launched it, as the supervisor does, which holds its directory still."""
    with EmbeddedPostgres(embedded_directory / "killed") as server:
        old = server.pid
        os.kill(old or 0, signal.SIGKILL)
        assert wait_until(lambda: not server.alive, timeout_s=10)
        server.launch()
        assert wait_until(server.ready, timeout_s=30), server.why()
        assert server.pid != old
