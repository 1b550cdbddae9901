"""Probe: why does my client not get through? Step by step, each in words.

    route ─▶ TLS or plaintext ─▶ password ─▶ every broker's address ─▶ topic, group ─▶ clock

Stops at the first step that fails, since those behind it would fail for the same reason. Nothing
is left behind: a producer is tried by one record in a transaction that is aborted, which no buyer
sees and nobody pays.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import confluent_kafka as ck
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from broker.client.probe_route import addresses, no_route, speaks
from broker.config import KafkaConfig
from broker.log.kafka_errors import LIBRDKAFKA

_TIMEOUT_S = 10.0
_POLL_S = 0.1
SKEW_MAX = timedelta(seconds=5)
_CLEAR_TEXT = {"SASL_PLAINTEXT", "PLAINTEXT"}
_TOPIC_REFUSED = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}


@dataclass(frozen=True, slots=True)
class Finding:
    """One step: what was tried, whether it is well, and in words what is wrong and what to do."""

    step: str
    ok: bool
    words: str


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


class _Failed(Exception):  # noqa: N818  ends the steps; never leaves this module
    """A step is not well; the text says why."""


class _Authentication:
    """Notices refused credentials and broken connections: librdkafka tells by callback only."""

    def __init__(self) -> None:
        self.refused: str | None = None
        self.last = ""

    def __call__(self, error: KafkaError) -> None:
        if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001  the library's name for it
            self.refused = error.str()
        self.last = error.str()


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
    findings: list[Finding] = []
    appended: list[datetime] = []
    steps: list[tuple[str, Callable[[], str]]] = [
        ("route", lambda: _route(config)),
        ("encryption", lambda: _encryption(config)),
        ("password", lambda: _password(config)),
        ("brokers", lambda: _brokers(config)),
    ]
    if wish.read is not None:
        topic = wish.read
        steps.append(("read", lambda: _read(config, topic, wish.group)))
    if wish.write is not None:
        target = wish.write
        steps.append(("write", lambda: _write(config, target, wish.transactional_id, appended)))
    steps.append(("clock", lambda: _clock(now, api_clock, appended)))
    for name, step in steps:
        try:
            findings.append(Finding(name, True, step()))
        except _Failed as failure:
            findings.append(Finding(name, False, str(failure)))
            break
    return findings


def _route(config: KafkaConfig) -> str:
    reasons = [no_route(one) for one in addresses(config.bootstrap)]
    if all(reasons):
        raise _Failed("; ".join(reason for reason in reasons if reason))
    return f"{config.bootstrap} can be reached"


def _encryption(config: KafkaConfig) -> str:
    address = next(one for one in addresses(config.bootstrap) if no_route(one) is None)
    spoken = speaks(address)
    wanted = "plaintext" if config.security_protocol in _CLEAR_TEXT else "tls"
    if spoken == "tls" and wanted == "plaintext":
        raise _Failed(
            f"{address} speaks TLS, security.protocol is {config.security_protocol}: "
            "set it to SASL_SSL"
        )
    if spoken == "plaintext" and wanted == "tls":
        raise _Failed(
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
            raise _Failed(
                f"Kafka answers at {config.bootstrap}, but names {broker.host}:{broker.port} as "
                f"its address, and {reasons[0]}; its operator must set advertised.listeners to "
                "what you can reach"
            )
    return f"every broker can be reached ({len(found)})"


def _metadata(config: KafkaConfig) -> Any:
    """What the cluster says of itself.

    Raises:
        _Failed: it does not let us in.
    """
    told = _Authentication()
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
                    raise _Failed(_wrong_password(config, told.refused)) from error
                if time.monotonic() > deadline:
                    raise _Failed(
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


def _read(config: KafkaConfig, topic: str, group: str) -> str:
    client = ck.Consumer(
        {
            **config.client(),
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "error_cb": _Authentication(),
        },
        logger=LIBRDKAFKA,
    )
    try:
        partitions = _partitions(client, config, topic, "read")
        _check_group(config, group)
        client.assign([ck.TopicPartition(topic, number) for number in range(partitions)])
        deadline = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < deadline:
            message = client.poll(_POLL_S)
            if message is None:
                continue
            error = message.error()
            if error is None:
                return f"{topic} can be read in group {group}; there are records in it"
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                return f"{topic} can be read in group {group}"
            raise _Failed(_no_right(config, topic, "read", error))
        raise _Failed(f"{topic}: neither a record nor its end came in {_TIMEOUT_S:.0f} s")
    finally:
        client.close()


def _check_group(config: KafkaConfig, group: str) -> None:
    # Asked of the administration: a consumer that may not use its group only runs into time-outs.
    client = AdminClient({**config.client(), "error_cb": _Authentication()}, logger=LIBRDKAFKA)
    future = client.describe_consumer_groups([group], request_timeout=_TIMEOUT_S)[group]
    try:
        future.result(_TIMEOUT_S + 1)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.GROUP_AUTHORIZATION_FAILED:
            raise _Failed(f"group {group}: {error.args[0].str()}") from error
        prefix = config.username.partition(".")[0] + "."
        raise _Failed(
            f"group {group}: {config.username} may not use it; its groups begin with {prefix}: "
            f"set group.id to {prefix}reader, for example"
        ) from error


def _write(config: KafkaConfig, topic: str, transactional_id: str, appended: list[datetime]) -> str:
    errors: list[KafkaError] = []

    def report(error: KafkaError | None, message: ck.Message) -> None:
        if error is not None:
            errors.append(error)
            return
        kind, at_ms = message.timestamp()
        if kind == ck.TIMESTAMP_LOG_APPEND_TIME:
            appended.append(datetime.fromtimestamp(at_ms / 1000, UTC))

    client = ck.Producer(
        {
            **config.client(),
            "transactional.id": transactional_id,
            "transaction.timeout.ms": int(_TIMEOUT_S * 1000),
            "delivery.timeout.ms": int(_TIMEOUT_S * 1000),
            "error_cb": _Authentication(),
        },
        logger=LIBRDKAFKA,
    )
    try:
        _partitions(client, config, topic, "write")
        client.init_transactions(_TIMEOUT_S)
        client.begin_transaction()
        client.produce(topic, b"weir client test", on_delivery=report)
        client.flush(_TIMEOUT_S)
        client.abort_transaction(_TIMEOUT_S)
    except KafkaException as error:
        errors.append(error.args[0])
    except SystemError as error:
        # The library raises a fatal error before it calls the next callback, which then trips.
        if not isinstance(error.__cause__, KafkaException):
            raise
        errors.append(error.__cause__.args[0])
    if errors:
        raise _Failed(_no_right(config, topic, "write", errors[0]))
    return f"{topic} can be written (one record, in a transaction that was aborted)"


def _partitions(
    client: ck.Consumer | ck.Producer, config: KafkaConfig, topic: str, act: str
) -> int:
    """How many the topic has.

    Raises:
        _Failed: it is not there, or not for us.
    """
    known = client.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
    if known.error is not None:
        raise _Failed(_no_right(config, topic, act, known.error))
    return len(known.partitions)


def _no_right(config: KafkaConfig, topic: str, act: str, error: KafkaError) -> str:
    said = error.str()
    if error.code() in _TOPIC_REFUSED or "authorization failed" in said:
        what = (
            "a buyer's account reads its own delivery topics (`weir subscription show` says which, "
            "and whether it is active)"
            if act == "read"
            else "an account with the role producer or both writes its own organisation's "
            "products (`weir product show` says which topic, and whether it is published)"
        )
        return f"{topic}: {config.username} has no right to {act} it; {what}"
    if error.code() in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}:  # noqa: SLF001
        return f"{topic}: there is no such topic; check its name"
    return f"{topic}: cannot {act} it ({said})"


def _clock(
    now: Callable[[], datetime],
    api_clock: Callable[[], datetime | None],
    appended: list[datetime],
) -> str:
    other = appended[0] if appended else api_clock()
    whose = "the broker's" if appended else "the API's"
    if other is None:
        return "not compared: there is no clock of the exchange to ask"
    skew = now() - other
    if abs(skew) > SKEW_MAX:
        ahead = "ahead of" if skew > timedelta(0) else "behind"
        raise _Failed(
            f"this machine's clock is {abs(skew).total_seconds():.0f} s {ahead} {whose}: let it "
            "follow a time server; billing goes by the broker's"
        )
    return f"this machine's clock agrees with {whose}"
