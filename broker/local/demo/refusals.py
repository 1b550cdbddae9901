"""Refusals: a buyer tries another's topic, a stranger tries to read, nobody writes what is ours."""

import time
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from broker.domain.names import CONTROL_TOPIC
from broker.errors import OperatingError
from broker.local.demo.market import FORECAST, MAINTENANCE, Market, Party
from broker.local.demo.screen import Screen

_TIMEOUT_S = 20.0
_REFUSED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._AUTHENTICATION,  # noqa: SLF001  the library's name for it
}


def attempt_all(market: Market, screen: Screen) -> int:
    """How many attempts were refused: every one of them.

    Raises:
        OperatingError: one was not.
    """
    others = market.subscriptions[FORECAST.subscription].delivery_topic
    buyer = market.buyers[MAINTENANCE.buyer]
    attempts = {
        f"{buyer.organisation} reads {others}": _read(market, buyer, others),
        f"stranger reads {others}": _read(market, market.stranger, others),
        f"stranger reads {market.topic}": _read(market, market.stranger, market.topic),
        "somebody without an account reads": _read_unknown(market, others),
        f"{market.gateway.principal} writes {CONTROL_TOPIC}": _write(market),
    }
    for what, refusal in attempts.items():
        if refusal is None:
            raise OperatingError(f"{what}: was not refused")
        screen.fact(f"{what}: refused, {refusal}")
    return len(attempts)


def _read(market: Market, party: Party, topic: str) -> str | None:
    return _consume(market.reading(party), topic)


def _read_unknown(market: Market, topic: str) -> str | None:
    settings = market.reading(market.stranger)
    return _consume(settings | {"sasl.username": "nobody", "sasl.password": "guessed"}, topic)


def _consume(settings: dict[str, Any], topic: str) -> str | None:
    """The refusal in Kafka's words; None where a record came, or nothing happened."""
    heard: list[KafkaError] = []
    consumer = Consumer(settings | {"error_cb": heard.append, "log_level": 0})
    consumer.subscribe([topic])
    deadline = time.monotonic() + _TIMEOUT_S
    try:
        while time.monotonic() < deadline:
            message = consumer.poll(0.2)
            error = message.error() if message is not None else None
            heard += [error] if error is not None else []
            for refused in heard:
                if refused.code() in _REFUSED:
                    return str(refused.name())
            if message is not None and error is None:
                return None
        return None
    finally:
        consumer.close()


def _write(market: Market) -> str | None:
    heard: list[KafkaError] = []
    producer = Producer(market.kafka(market.gateway) | {"log_level": 0})
    try:
        producer.produce(CONTROL_TOPIC, b"{}", on_delivery=lambda error, _: heard.append(error))
        producer.flush(_TIMEOUT_S)
    except KafkaException as error:
        heard.append(error.args[0])
    return next((str(e.name()) for e in heard if e and e.code() in _REFUSED), None)
