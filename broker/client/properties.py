"""Settings of a stock client, ready to paste: for Python, Java, Go and kcat.

A consumer's settings always name `isolation.level=read_committed`: Java's consumers default to
read_uncommitted and would show records of aborted transactions.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Language: TypeAlias = Literal["python", "java", "go", "kcat"]
Use: TypeAlias = Literal["consumer", "producer"]
LANGUAGES: tuple[Language, ...] = ("python", "java", "go", "kcat")
PASSWORD_PLACEHOLDER = "PASSWORD-SHOWN-WHEN-THE-ACCOUNT-WAS-MADE"  # noqa: S105  it is none
TOKEN_PLACEHOLDER = "YOUR-API-TOKEN"  # noqa: S105  it is none
WHY_COMMITTED = (
    "Delivered means committed: without isolation.level=read_committed (Java's consumers default",
    "to read_uncommitted) you would also see records of aborted transactions, which are neither",
    "delivered nor billed.",
)


@dataclass(frozen=True, kw_only=True)
class Connection:
    """What the settings are made of.

    Args:
        bootstrap: host:port[,…].
        principal: SCRAM user of the account.
        password: its password, or the placeholder.
        security_protocol: Kafka's name.
        ca_file: of a private certificate authority.
        group: consumer group; begins with the organisation's slug and a dot.
    """

    bootstrap: str
    principal: str
    password: str = field(repr=False)
    security_protocol: str
    ca_file: str | None
    group: str


def settings(connection: Connection, use: Use) -> dict[str, str]:
    """Settings as librdkafka and its clients in Python, Go and kcat name them."""
    found = {
        "bootstrap.servers": connection.bootstrap,
        "security.protocol": connection.security_protocol,
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": connection.principal,
        "sasl.password": connection.password,
    }
    if connection.ca_file:
        found["ssl.ca.location"] = connection.ca_file
    return found | _of_use(connection, use)


def java_settings(connection: Connection, use: Use) -> dict[str, str]:
    """The same as Java's clients name them."""
    login = "org.apache.kafka.common.security.scram.ScramLoginModule"
    found = {
        "bootstrap.servers": connection.bootstrap,
        "security.protocol": connection.security_protocol,
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": f"{login} required "
        f'username="{connection.principal}" password="{connection.password}";',
    }
    if connection.ca_file:
        found |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": connection.ca_file}
    return found | _of_use(connection, use)


def render(connection: Connection, *, language: Language, use: Use) -> str:
    """Text to paste, or to keep as a file."""
    if language == "java":
        body = _lines(java_settings(connection, use))
        return _comment("#", use, "client.properties") + body
    found = settings(connection, use)
    if language == "python":
        inner = "".join(
            f"    {json.dumps(key)}: {_quoted(value)},\n" for key, value in found.items()
        )
        return _comment("#", use, _python_line(use)) + f"settings = {{\n{inner}}}\n"
    if language == "go":
        inner = "".join(f"\t{json.dumps(key)}: {_quoted(value)},\n" for key, value in found.items())
        return _comment("//", use, _go_line(use)) + f"settings := kafka.ConfigMap{{\n{inner}}}\n"
    flag = "-C" if use == "consumer" else "-P"
    return _comment("#", use, f"kcat -F kcat.conf {flag} -t TOPIC") + _lines(found)


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Where the schema registry is. Any name will do beside the token; ours is the organisation."""

    url: str
    organisation: str
    token: str = field(repr=False)


def registry_settings(registry: Registry, *, language: Language) -> dict[str, str]:
    """Settings of the registry's client, as the language names them."""
    who = f"{registry.organisation}:{registry.token}"
    if language == "java":
        return {
            "schema.registry.url": registry.url,
            "basic.auth.credentials.source": "USER_INFO",
            "basic.auth.user.info": who,
        }
    if language == "kcat":
        scheme, _, rest = registry.url.partition("://")
        return {"schema.registry.url": f"{scheme}://{who}@{rest}"}
    return {"url": registry.url, "basic.auth.user.info": who}


def render_registry(registry: Registry, *, language: Language) -> str:
    """Text to paste."""
    found = registry_settings(registry, language=language)
    if language == "python":
        return f"# SchemaRegistryClient(registry)\nregistry = {json.dumps(found, indent=4)}\n"
    if language == "go":
        inner = ", ".join(
            _quoted(one) for one in (registry.url, registry.organisation, registry.token)
        )
        return f"registry := schemaregistry.NewConfigWithBasicAuthentication({inner})\n"
    return _lines(found)


def _of_use(connection: Connection, use: Use) -> dict[str, str]:
    if use == "producer":
        return {"acks": "all", "enable.idempotence": "true", "compression.type": "lz4"}
    return {
        "group.id": connection.group,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
    }


def _lines(found: Mapping[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in found.items())


def _quoted(value: str) -> str:
    # A JSON string is a string of Python and of Go alike.
    return json.dumps(value)


def _python_line(use: Use) -> str:
    return f"confluent_kafka.{use.title()}(settings)"


def _go_line(use: Use) -> str:
    return f"kafka.New{use.title()}(&settings)  (confluent-kafka-go)"


def _comment(mark: str, use: Use, hint: str) -> str:
    words = (hint, *WHY_COMMITTED) if use == "consumer" else (hint,)
    return "".join(f"{mark} {line}\n" for line in words)
