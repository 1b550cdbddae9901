"""What a process must be told: small frozen values, checked when built, passed in.

Where they come from, first match wins: the environment (`WEIR_KAFKA_BOOTSTRAP`,
`WEIR_KAFKA_USERNAME`, `WEIR_KAFKA_PASSWORD_FILE` or `WEIR_KAFKA_PASSWORD`,
`WEIR_KAFKA_SECURITY_PROTOCOL`, `WEIR_KAFKA_CA_FILE`, `WEIR_DATABASE_URL`, `WEIR_API_URL`,
`WEIR_TOKEN_FILE` or `WEIR_TOKEN`), then `connections.json` (mode 0600) in the home (`--home`,
`WEIR_HOME`, default `.weir`), which `weir up` writes.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from broker.errors import InvalidFieldError
from broker.secret_file import secret_in

CONNECTIONS_FILE = "connections.json"


@dataclass(frozen=True, kw_only=True)
class KafkaConfig:
    """How to reach Kafka, and as whom."""

    bootstrap: str
    username: str
    password: str = field(repr=False)
    security_protocol: str = "SASL_PLAINTEXT"
    ca_file: str | None = None

    def __post_init__(self) -> None:
        if not self.bootstrap:
            raise InvalidFieldError("WEIR_KAFKA_BOOTSTRAP", "must be host:port[,…], is empty")
        if self.security_protocol not in {"SASL_PLAINTEXT", "SASL_SSL", "PLAINTEXT", "SSL"}:
            raise InvalidFieldError(
                "WEIR_KAFKA_SECURITY_PROTOCOL",
                f"must be SASL_PLAINTEXT, SASL_SSL, PLAINTEXT or SSL, is {self.security_protocol}",
            )

    def client(self) -> dict[str, str | int | float | bool]:
        """Librdkafka settings that connect and authenticate.

        Raises:
            InvalidFieldError: a user is needed, and none is named.
        """
        if self.security_protocol.startswith("SASL") and not self.username:
            raise InvalidFieldError(
                "WEIR_KAFKA_USERNAME",
                f"is not set, and {self.security_protocol} at {self.bootstrap} needs a user; set "
                "it and WEIR_KAFKA_PASSWORD_FILE, or WEIR_KAFKA_SECURITY_PROTOCOL to PLAINTEXT or "
                "SSL",
            )
        settings: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            settings |= {
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": self.username,
                "sasl.password": self.password,
            }
        if self.ca_file:
            settings["ssl.ca.location"] = self.ca_file
        return settings


@dataclass(frozen=True, kw_only=True)
class Connections:
    """Where the exchange's Kafka, PostgreSQL and API are."""

    kafka: KafkaConfig
    database_url: str = field(repr=False)
    api_url: str | None = None
    operator_token: str | None = field(default=None, repr=False)


def home_from(environ: Mapping[str, str], option: str | None = None) -> Path:
    """The home directory: the option, then WEIR_HOME, then `.weir` here."""
    return Path(option or environ.get("WEIR_HOME") or ".weir").absolute()


def connections(home: Path, environ: Mapping[str, str] | None = None) -> Connections:
    """Read where everything is.

    Raises:
        InvalidFieldError: neither the environment nor the home says it.
    """
    env = os.environ if environ is None else environ
    stored = _stored(home)
    database_url = env.get("WEIR_DATABASE_URL") or stored.get("database_url")
    if not database_url:
        raise _no_exchange(home, "WEIR_DATABASE_URL", "a database of your own")
    return Connections(
        kafka=kafka_config(home, env),
        database_url=database_url,
        api_url=env.get("WEIR_API_URL") or stored.get("api_url"),
        operator_token=_token(env) or stored.get("operator_token"),
    )


def kafka_config(home: Path, environ: Mapping[str, str] | None = None) -> KafkaConfig:
    """Where Kafka is, for a process that needs nothing else.

    Raises:
        InvalidFieldError: neither the environment nor the home says it.
    """
    env = os.environ if environ is None else environ
    kafka = _stored(home).get("kafka")
    if env.get("WEIR_KAFKA_BOOTSTRAP"):
        kafka = {
            "bootstrap": env["WEIR_KAFKA_BOOTSTRAP"],
            "username": env.get("WEIR_KAFKA_USERNAME", ""),
            "password": _password(env),
            "security_protocol": env.get("WEIR_KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
            "ca_file": env.get("WEIR_KAFKA_CA_FILE"),
        }
    if kafka is None or kafka == {}:
        raise _no_exchange(home, "WEIR_KAFKA_BOOTSTRAP", "a Kafka of your own")
    return _stored_kafka(kafka, home / CONNECTIONS_FILE)


@dataclass(frozen=True, kw_only=True)
class ApiConfig:
    """Where the API is, and as whom to speak to it."""

    url: str
    token: str = field(repr=False)


def api_config(
    home: Path, environ: Mapping[str, str] | None = None, *, token_file: Path | None = None
) -> ApiConfig:
    """Where the API is, for one who needs nothing else.

    The token: the file, then `WEIR_TOKEN_FILE` or `WEIR_TOKEN`, then, where none of these is named,
    the home's operator.

    Raises:
        InvalidFieldError: neither the environment nor the home says it, or the file that is named
            holds no token.
    """
    env = os.environ if environ is None else environ
    url = api_url(home, env)
    named = secret_in(token_file, field="--token-file") if token_file else _token(env)
    token = named or _stored(home).get("operator_token")
    if not token:
        raise InvalidFieldError(
            "WEIR_TOKEN_FILE", "is not set; set it to a file that holds your token"
        )
    return ApiConfig(url=url, token=token)


def api_url(home: Path, environ: Mapping[str, str] | None = None) -> str:
    """Where the API is, for one who needs no token.

    Raises:
        InvalidFieldError: neither the environment nor the home says it.
    """
    env = os.environ if environ is None else environ
    url: str | None = env.get("WEIR_API_URL") or _stored(home).get("api_url")
    if not url:
        raise _no_exchange(home, "WEIR_API_URL", "one elsewhere")
    return url


def check_stored(home: Path) -> None:
    """Do nothing, if the home's connections.json can be used, or there is none.

    Raises:
        InvalidFieldError: it cannot be read, or holds something else.
    """
    kafka = _stored(home).get("kafka")
    if kafka is not None:
        _stored_kafka(kafka, home / CONNECTIONS_FILE)


def _no_exchange(home: Path, variable: str, what: str) -> InvalidFieldError:
    return InvalidFieldError(
        str(home),
        f"there is no exchange here; `weir up --home {home}` makes one, or name another with "
        f"--home or WEIR_HOME, or {what} with {variable}",
    )


def _stored(home: Path) -> dict[str, Any]:
    """What the home's connections.json says; nothing where there is none.

    Raises:
        InvalidFieldError: it cannot be read, or holds something else.
    """
    path = home / CONNECTIONS_FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InvalidFieldError(str(path), f"cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise _spoilt(path, "is no JSON") from error
    if not isinstance(stored, dict):
        raise _spoilt(path, "must hold one JSON object")
    for key in ("database_url", "api_url", "operator_token"):
        if not isinstance(stored.get(key, ""), str | None):
            raise _spoilt(path, f"{key} must be a string")
    return stored


def _stored_kafka(kafka: object, path: Path) -> KafkaConfig:
    if not isinstance(kafka, dict):
        raise _spoilt(path, "kafka must be an object")
    try:
        found = KafkaConfig(**kafka)
    except TypeError as error:
        known = ", ".join(one.name for one in fields(KafkaConfig))
        raise _spoilt(path, f"kafka must have the keys {known}, and no other") from error
    if not all(isinstance(value, str | None) for value in kafka.values()):
        raise _spoilt(path, "kafka must hold strings")
    return found


def _spoilt(path: Path, what: str) -> InvalidFieldError:
    return InvalidFieldError(
        str(path), f"{what}; `weir up` writes it: mend it, or remove it and start again"
    )


def _password(env: Mapping[str, str]) -> str:
    path = env.get("WEIR_KAFKA_PASSWORD_FILE")
    if path:
        return secret_in(Path(path), field="WEIR_KAFKA_PASSWORD_FILE")
    return env.get("WEIR_KAFKA_PASSWORD", "")


def _token(env: Mapping[str, str]) -> str | None:
    """The token that the environment names; None where it names none (an empty variable is none).

    Raises:
        InvalidFieldError: it names one, and there is none: never the operator's instead.
    """
    path = env.get("WEIR_TOKEN_FILE")
    if path:
        return secret_in(Path(path), field="WEIR_TOKEN_FILE")
    token = env.get("WEIR_TOKEN") or None
    if token is not None and not token.strip():
        raise InvalidFieldError("WEIR_TOKEN", "is blank; set it to your token, or unset it")
    return token
