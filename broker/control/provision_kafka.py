"""Kafka's administration: bounded calls, whose errors are ours and say what was attempted."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from broker.config import KafkaConfig
from broker.errors import LogTimeoutError
from broker.log.kafka_errors import LIBRDKAFKA, Credentials, call, ours
from broker.log.kafka_offsets import KafkaOffsets
from broker.log.kafka_settings import client
from broker.log.ports import Offsets, TopicPartition

# A busy broker on the same machine answers late; a lost one is noticed by others first.
REQUEST_TIMEOUT_S = 15.0
_GRACE_S = 1.0
Value = TypeVar("Value")
Key = TypeVar("Key")


class Administrator:
    """One connection as the exchange itself.

    Args:
        config: where Kafka is and as whom to go there.
        bootstrap: one broker to ask, instead of any.
    """

    def __init__(self, config: KafkaConfig, *, bootstrap: str | None = None) -> None:
        self._credentials = Credentials(config.username, bootstrap or config.bootstrap)
        settings = client(config, "weir-provision") | {"error_cb": self._credentials}
        if bootstrap is not None:
            settings["bootstrap.servers"] = bootstrap
        self.client = AdminClient(settings, logger=LIBRDKAFKA)
        self._config = config
        self._offsets: KafkaOffsets | None = None  # only topics that end are asked about

    def offsets(self, topic: str, partition: int) -> Offsets:
        """Where a partition starts and ends, open transactions included.

        Raises:
            LogError: no answer, no such partition, or our credentials are refused.
        """
        if self._offsets is None:
            self._offsets = KafkaOffsets(self._config, committed=False)
        return self._offsets.both(TopicPartition(topic, partition), timeout_s=REQUEST_TIMEOUT_S)

    def result(self, what: str, future: "Future[Value]") -> Value:
        """What Kafka answers.

        Args:
            what: what was asked, for the message of an error.
            future: of a call of the client with `request_timeout=REQUEST_TIMEOUT_S`.

        Raises:
            LogError: it refuses, does not answer, or refuses our credentials.
        """
        try:
            return future.result(REQUEST_TIMEOUT_S + _GRACE_S)
        except KafkaException as error:
            self.check()
            raise ours(error.args[0], what) from error
        except FutureTimeoutError as error:
            self.check()
            raise LogTimeoutError(f"{what}: no answer in {REQUEST_TIMEOUT_S} s") from error

    def results(
        self,
        what: str,
        futures: "Mapping[Key, Future[Value]]",
        *,
        tolerated: Iterable[int] = (),
    ) -> dict[Key, Value]:
        """What Kafka answers to each; those refused with a tolerated code are left out.

        Raises:
            LogError: it refuses one otherwise.
        """
        codes = set(tolerated)
        answers = {}
        for key, future in futures.items():
            code = _refusal(future)
            if code is None or code not in codes:
                answers[key] = self.result(f"{what} {key}", future)
        return answers

    def metadata(self) -> Any:
        """Brokers and topics, as the broker that answers knows them.

        Raises:
            LogError: none answers.
        """
        try:
            return call("topics", lambda: self.client.list_topics(timeout=REQUEST_TIMEOUT_S))
        except LogTimeoutError:
            self.check()
            raise

    def check(self) -> None:
        """Do nothing, unless Kafka has refused our credentials.

        Raises:
            LogError: it has.
        """
        self.client.poll(0)
        self._credentials.check()


def _refusal(future: "Future[Any]") -> int | None:
    """Kafka's error code, once the answer is there."""
    try:
        error = future.exception(REQUEST_TIMEOUT_S + _GRACE_S)
    except FutureTimeoutError:
        return None
    if isinstance(error, KafkaException):
        code: int = error.args[0].code()
        return code
    return None


def each_broker(
    config: KafkaConfig, ask: Callable[[Any], Value], *, brokers: Iterable[str]
) -> list[Value]:
    """Ask each broker for its own metadata.

    A new client has one connection, to the broker it was given, so it is that one which answers.

    Args:
        config: how to reach Kafka.
        ask: is given a broker's metadata.
        brokers: host:port of each.

    Raises:
        LogError: one does not answer.
    """
    return [ask(Administrator(config, bootstrap=broker).metadata()) for broker in brokers]


UNKNOWN_TOPIC = KafkaError.UNKNOWN_TOPIC_OR_PART
TOPIC_EXISTS = KafkaError.TOPIC_ALREADY_EXISTS
HAS_PARTITIONS = KafkaError.INVALID_PARTITIONS
