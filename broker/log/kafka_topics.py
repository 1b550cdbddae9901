"""Ids of topics, which tell a recreated topic from the one before it."""

import uuid
from collections.abc import Sequence

import confluent_kafka as ck
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from broker.config import KafkaConfig
from broker.errors import LogTimeoutError
from broker.log import kafka_settings
from broker.log.kafka_errors import LIBRDKAFKA, Credentials, ours

_GRACE_S = 0.1  # the library's own time limit strikes first


class KafkaTopicIds:
    """Asks any broker; connects with the first question.

    Args:
        config: the cluster, and as whom.
    """

    def __init__(self, config: KafkaConfig) -> None:
        self._credentials = Credentials(config.username, config.bootstrap)
        self._client = AdminClient(
            kafka_settings.client(config, "weir-topics") | {"error_cb": self._credentials},
            logger=LIBRDKAFKA,
        )

    def ask(self, topics: Sequence[str], *, timeout_s: float) -> dict[str, str]:
        """UUID of each topic that exists.

        Raises:
            LogTimeoutError, LogError: no answer, or credentials refused.
        """
        names = ck.TopicCollection(list(topics))
        futures = self._client.describe_topics(names, request_timeout=timeout_s)
        found = {}
        for topic, future in futures.items():
            try:
                found[topic] = canonical_id(future.result(timeout_s + _GRACE_S).topic_id)
            except KafkaException as error:
                self._check()
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise ours(error.args[0], f"{topic}: topic id") from error
            except TimeoutError as error:
                self._check()
                raise LogTimeoutError(f"{topic}: topic id: no answer in {timeout_s} s") from error
        return found

    def _check(self) -> None:
        self._client.poll(0)
        self._credentials.check()


def canonical_id(topic_id: ck.Uuid) -> str:
    """The library's two signed halves as a UUID."""
    high = topic_id.get_most_significant_bits() & (2**64 - 1)
    low = topic_id.get_least_significant_bits() & (2**64 - 1)
    return str(uuid.UUID(int=high << 64 | low))
