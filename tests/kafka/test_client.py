"""`weir client test` says in words what is wrong, against a real broker."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.cli.client import client as verb
from broker.client.probe import Wish, probe
from broker.client.probe_step import Finding
from broker.config import KafkaConfig
from broker.control.provision_users import ScramUsers
from broker.local.kafka import EmbeddedKafka
from broker.log.kafka_errors import LIBRDKAFKA

pytestmark = pytest.mark.kafka


@pytest.fixture
def buyer(kafka: EmbeddedKafka, unique: Callable[[str], str]) -> KafkaConfig:
    """An account that may read its delivery and write its product, and nothing else."""
    slug = unique("grid")
    user = f"{slug}.app"
    ScramUsers(kafka.config).set_password(user, "right")
    admin = AdminClient(kafka.config.client(), logger=LIBRDKAFKA)
    topics = [
        NewTopic(f"delivery.{slug}.feed", 1),
        NewTopic(f"product.{slug}.wind", 1, config={"message.timestamp.type": "LogAppendTime"}),
        NewTopic(f"delivery.{slug}.other", 1),
    ]
    rights = [
        (ResourceType.TOPIC, f"delivery.{slug}.feed", AclOperation.READ, False),
        (ResourceType.TOPIC, f"product.{slug}.wind", AclOperation.WRITE, False),
        (ResourceType.GROUP, f"{slug}.", AclOperation.READ, True),
        (ResourceType.TRANSACTIONAL_ID, f"{slug}.", AclOperation.WRITE, True),
    ]
    acls = [
        AclBinding(
            kind,
            name,
            ResourcePatternType.PREFIXED if prefixed else ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            operation,
            AclPermissionType.ALLOW,
        )
        for kind, name, operation, prefixed in rights
    ]
    for future in [*admin.create_topics(topics).values(), *admin.create_acls(acls).values()]:
        future.result(15)
    return replace(kafka.config, username=user, password="right")


def ask(
    config: KafkaConfig,
    *,
    read: str | None = None,
    write: str | None = None,
    group: str | None = None,
    ahead: timedelta = timedelta(0),
) -> Finding:
    """The last step that was taken; `ahead` of the broker is this machine's clock."""
    slug = config.username.partition(".")[0]
    wish = Wish(
        read=read and f"delivery.{slug}.{read}",
        group=group or f"{slug}.reader",
        write=write and f"product.{slug}.{write}",
        transactional_id=f"{slug}.test",
    )
    findings = probe(config, wish, now=lambda: datetime.now(UTC) + ahead, api_clock=lambda: None)
    assert all(one.ok for one in findings[:-1])
    return findings[-1]


def test_all_is_well(buyer: KafkaConfig) -> None:
    """Reading its own and writing its own: every step is taken, to the clock."""
    found = ask(buyer, read="feed", write="wind")

    assert found.ok, found.words
    assert found.step == "clock"
    assert "the broker's" in found.words


def test_wrong_password_is_said(buyer: KafkaConfig) -> None:
    """A wrong password is named as such, where a producer would only time out."""
    found = ask(replace(buyer, password="wrong"), write="wind")

    assert (found.step, found.ok) == ("password", False)
    assert "password is wrong" in found.words
    assert buyer.username in found.words


def test_missing_right_is_said(buyer: KafkaConfig) -> None:
    """No ACL: who may not do what to which topic, and where to look."""
    reading, writing = ask(buyer, read="other"), ask(buyer, write="elses")

    assert (reading.step, reading.ok) == ("read", False)
    assert f"{buyer.username} has no right to read it" in reading.words
    assert (writing.step, writing.ok) == ("write", False)
    assert "has no right to write it" in writing.words


def test_foreign_group_is_said(buyer: KafkaConfig) -> None:
    """A group of another's prefix: which prefix is its own."""
    found = ask(buyer, read="feed", group="acme.reader")

    assert (found.step, found.ok) == ("read", False)
    assert f"its groups begin with {buyer.username.partition('.')[0]}." in found.words


def test_no_route_is_said(buyer: KafkaConfig) -> None:
    """Nothing listens at the port, or the name is unknown: said within seconds."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    refused = ask(replace(buyer, bootstrap=f"127.0.0.1:{port}"))
    unknown = ask(replace(buyer, bootstrap="kafka.invalid:9092"))

    assert (refused.step, refused.ok) == ("route", False)
    assert "nothing listens there" in refused.words
    assert (unknown.step, unknown.ok) == ("route", False)
    assert "not a known name" in unknown.words


def test_tls_on_a_plaintext_port_is_said(buyer: KafkaConfig) -> None:
    """The settings want TLS, the port does not speak it."""
    found = ask(replace(buyer, security_protocol="SASL_SSL"))

    assert (found.step, found.ok) == ("encryption", False)
    assert "SASL_PLAINTEXT" in found.words


def test_plaintext_on_a_tls_port_is_said(buyer: KafkaConfig, tmp_path: Path) -> None:
    """The port speaks TLS, the settings do not."""
    with tls_port(tmp_path) as port:
        found = ask(replace(buyer, bootstrap=f"127.0.0.1:{port}"))

    assert (found.step, found.ok) == ("encryption", False)
    assert "set it to SASL_SSL" in found.words


def test_wrong_clock_is_said(buyer: KafkaConfig) -> None:
    """A clock that differs from the broker's append time, by how much and which way."""
    found = ask(buyer, write="wind", ahead=timedelta(minutes=3))

    assert (found.step, found.ok) == ("clock", False)
    assert "ahead of the broker's" in found.words


def test_verb_prints_the_steps(kafka: EmbeddedKafka, buyer: KafkaConfig, tmp_path: Path) -> None:
    """The verb exits 1 at the first step that is not well, and shows no password."""
    (tmp_path / "password").write_text("wrong-secret\n")
    arguments = ["test", "--bootstrap", kafka.address, "--security-protocol", "SASL_PLAINTEXT"]
    account = buyer.username.replace(".", "/")
    arguments += ["--account", account, "--password-file", str(tmp_path / "password")]

    ran = CliRunner().invoke(verb, [*arguments, "--home", str(tmp_path)])

    assert ran.exit_code == 1
    assert "WRONG  password" in ran.output
    assert "wrong-secret" not in ran.output


@contextmanager
def tls_port(directory: Path) -> Iterator[int]:
    """A port that answers a TLS greeting, under a certificate of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = directory / "tls.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_greet, args=(server, context), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _greet(server: socket.socket, context: ssl.SSLContext) -> None:
    """Answer greetings until the port is closed; a connection that brings none is dropped."""
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        connection.settimeout(2)
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            connection.close()
