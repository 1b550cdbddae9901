"""Where partitions start and end, asked over a connection of its own.

A consumer's connection answers one request at a time, and holds an idle fetch for 100 ms: asking
there takes that long, here less than one.

`AdminClient.list_offsets` would ask for one end alone, but kills the process now and then: its
search for the partition's leader goes on in the caller's thread while an answer of metadata hands
it to the client's own (librdkafka 2.16, `query_leaders_async`: a null mutex; reproduced within a
minute by asking for absent topics beside `list_topics`). The question asked here waits in one
thread.
"""

import confluent_kafka as ck
from confluent_kafka import KafkaException

from broker.config import KafkaConfig
from broker.log import kafka_settings
from broker.log.kafka_errors import LIBRDKAFKA, Credentials, ours
from broker.log.ports import Offsets, TopicPartition


class KafkaOffsets:
    """Asks partition leaders; connects with the first question.

    Args:
        config: the cluster, and as whom.
        committed: whether the end is the last stable offset or the high watermark.
    """

    def __init__(self, config: KafkaConfig, *, committed: bool) -> None:
        self._config = config
        self._credentials = Credentials(config.username, config.bootstrap)
        self._isolation = "read_committed" if committed else "read_uncommitted"
        self._client = self._connect()

    def both(self, partition: TopicPartition, *, timeout_s: float) -> Offsets:
        """Log start and end, asked at the same time.

        Raises:
            LogTimeoutError, LogError: no answer, no such partition, credentials refused.
        """
        asked = ck.TopicPartition(*partition)
        try:
            start, end = self._client.get_watermark_offsets(asked, timeout=timeout_s)
        except KafkaException as error:
            self._check()
            # The client keeps for minutes what it believes of partitions and their leaders. Where a
            # broker came back meanwhile it asked in vain with that for two minutes and more
            # (measured by `weir faults`): the next question goes over a new one.
            self._client = self._connect()
            what = f"{partition.topic}[{partition.partition}]: offsets"
            raise ours(error.args[0], what) from error
        return Offsets(start, end)

    def end(self, partition: TopicPartition, *, timeout_s: float) -> int:
        """The end alone; raises what `both` raises."""
        return self.both(partition, timeout_s=timeout_s).last_stable

    def _check(self) -> None:
        self._client.poll(0)
        self._credentials.check()

    def _connect(self) -> ck.Consumer:
        settings = kafka_settings.client(self._config, "weir-offsets") | kafka_settings.reading()
        return ck.Consumer(
            settings | {"isolation.level": self._isolation, "error_cb": self._credentials},
            logger=LIBRDKAFKA,
        )
