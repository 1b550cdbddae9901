"""Probe: why does my client not get through? Step by step, each in words.

    route ─▶ TLS or plaintext ─▶ password ─▶ every broker's address ─▶ topic, group ─▶ clock

Stops at the first step that fails, since those behind it would fail for the same reason. Nothing
is left behind: a producer is tried by one record in a transaction that is aborted, which no buyer
sees and nobody pays.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import confluent_kafka as ck
from confluent_kafka import KafkaException

from broker.client import probe_topic
from broker.client.probe_clock import clock
from broker.client.probe_route import addresses, no_route, speaks
from broker.client.probe_step import Finding, StepFailedError, Told, take
from broker.config import KafkaConfig
from broker.log.kafka_errors import LIBRDKAFKA

_TIMEOUT_S = 10.0
_POLL_S = 0.1
_CLEAR_TEXT = {"SASL_PLAINTEXT", "PLAINTEXT"}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the client wants to do.

    Args:
        read: a topic to read; None asks for none.
        group: the consumer group to read it in.
        write: a topic to write; None asks for none.
        transactional_id: for trying that; begins as the group does.
    """

    read: str | None
    group: str
    write: str | None
    transactional_id: str


def probe(
    config: KafkaConfig,
    wish: Wish,
    *,
    now: Callable[[], datetime],
    api_clock: Callable[[], datetime | None],
) -> list[Finding]:
    """Try everything the client needs, at most about a minute in all.

    Args:
        config: where Kafka is, under the client's own account.
        wish: what it wants to do.
        now: this machine's clock.
        api_clock: the API's; None where there is none to ask.
    """
    appended: list[datetime] = []
    steps: list[tuple[str, Callable[[], str]]] = [
        ("route", lambda: _route(config)),
        ("encryption", lambda: _encryption(config)),
        ("password", lambda: _password(config)),
        ("brokers", lambda: _brokers(config)),
    ]
    if wish.read is not None:
        topic = wish.read
        steps.append(("read", lambda: probe_topic.read(config, topic, wish.group)))
    if wish.write is not None:
        target = wish.write
        steps.append(
            ("write", lambda: probe_topic.write(config, target, wish.transactional_id, appended))
        )
    steps.append(("clock", lambda: clock(now, api_clock, appended)))
    return take(steps)


def _route(config: KafkaConfig) -> str:
    reasons = [no_route(one) for one in addresses(config.bootstrap)]
    if all(reasons):
        raise StepFailedError("; ".join(reason for reason in reasons if reason))
    return f"{config.bootstrap} can be reached"


def _encryption(config: KafkaConfig) -> str:
    address = next(one for one in addresses(config.bootstrap) if no_route(one) is None)
    spoken = speaks(address)
    wanted = "plaintext" if config.security_protocol in _CLEAR_TEXT else "tls"
    if spoken == "tls" and wanted == "plaintext":
        raise StepFailedError(
            f"{address} speaks TLS, security.protocol is {config.security_protocol}: "
            "set it to SASL_SSL"
        )
    if spoken == "plaintext" and wanted == "tls":
        raise StepFailedError(
            f"{address} does not speak TLS, security.protocol is {config.security_protocol}: "
            "set it to SASL_PLAINTEXT, or use the port that does"
        )
    return f"the port and security.protocol={config.security_protocol} agree"


def _password(config: KafkaConfig) -> str:
    _metadata(config)
    return f"{config.username} is known, and the password is right"


def _brokers(config: KafkaConfig) -> str:
    found = _metadata(config).brokers.values()
    for broker in found:
        reasons = [no_route(one) for one in addresses(f"{broker.host}:{broker.port}")]
        if reasons[0]:
            raise StepFailedError(
                f"Kafka answers at {config.bootstrap}, but names {broker.host}:{broker.port} as "
                f"its address, and {reasons[0]}; its operator must set advertised.listeners to "
                "what you can reach"
            )
    return f"every broker can be reached ({len(found)})"


def _metadata(config: KafkaConfig) -> Any:
    """What the cluster says of itself.

    Raises:
        StepFailedError: it does not let us in.
    """
    told = Told()
    client = ck.Consumer(
        {**config.client(), "group.id": "probe", "error_cb": told}, logger=LIBRDKAFKA
    )
    deadline = time.monotonic() + _TIMEOUT_S
    try:
        while True:
            try:
                return client.list_topics(timeout=1.0)
            except KafkaException as error:
                client.poll(0)
                if told.refused:
                    raise StepFailedError(_wrong_password(config, told.refused)) from error
                if time.monotonic() > deadline:
                    raise StepFailedError(
                        f"{config.bootstrap}: no answer in {_TIMEOUT_S:.0f} s "
                        f"({told.last or error.args[0].str()}); with TLS, check the certificate "
                        "and ssl.ca.location"
                    ) from error
    finally:
        client.close()


def _wrong_password(config: KafkaConfig, said: str) -> str:
    return (
        f"Kafka refused {config.username or 'a client without a name'}: the user name or the "
        "password is wrong, or the account was deleted. A client would show nothing but time-outs "
        f"here. Copy both again, or give the account another password ({said})"
    )
