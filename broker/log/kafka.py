"""Kafka itself, on confluent-kafka (librdkafka): makes the clients of the port.

kafka_settings   what every client is set to, and why
kafka_errors     what Kafka's errors mean to us
kafka_columns    messages to columns
kafka_offsets    where partitions start and end
kafka_topics     ids of topics
kafka_consumer, kafka_producer, kafka_reader
"""

from broker.config import KafkaConfig
from broker.log.kafka_consumer import KafkaConsumer
from broker.log.kafka_producer import KafkaProducer
from broker.log.kafka_reader import KafkaReader

__all__ = ["KafkaLog"]


class KafkaLog:
    """Implements `ports.Log`.

    Args:
        config: the cluster, and as whom.
    """

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config

    def consumer(self, group: str, *, instance: str) -> KafkaConsumer:
        """A member of `group` that reads committed records."""
        return KafkaConsumer(self._config, group, instance)

    def producer(self, *, transactional_id: str | None) -> KafkaProducer:
        """A producer; with an id, call `init_transactions` before the first `begin`."""
        return KafkaProducer(self._config, transactional_id)

    def reader(self, *, committed: bool) -> KafkaReader:
        """A reader; `committed` False sees records of open and aborted transactions too."""
        return KafkaReader(self._config, committed=committed)
