"""Where partitions start and end, asked over a connection of its own.

A consumer's connection answers one request at a time, and holds an idle fetch for 100 ms: asking
there takes that long, here less than one.
"""

from typing import Any

import confluent_kafka as ck
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, OffsetSpec

from broker.config import KafkaConfig
from broker.errors import LogTimeoutError
from broker.log import kafka_settings
from broker.log.kafka_errors import LIBRDKAFKA, Credentials, ours
from broker.log.ports import Offsets, TopicPartition

_GRACE_S = 0.5  # the library's own time limit strikes first
# The client keeps who leads a partition, and in which epoch, for 15 minutes; where a broker came
# back meanwhile it asked with the old epoch for two minutes and more (measured by `weir faults`).
_STALE_LEADER = {
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.NOT_LEADER_FOR_PARTITION,
}


class KafkaOffsets:
    """Asks partition leaders; connects with the first question.

    Args:
        config: the cluster, and as whom.
        committed: whether the end is the last stable offset or the high watermark.
    """

    def __init__(self, config: KafkaConfig, *, committed: bool) -> None:
        self._config = config
        self._credentials = Credentials(config.username, config.bootstrap)
        self.admin = self._connect()
        self._isolation = (
            ck.IsolationLevel.READ_COMMITTED if committed else ck.IsolationLevel.READ_UNCOMMITTED
        )

    def both(self, partition: TopicPartition, *, timeout_s: float) -> Offsets:
        """Log start and end, asked at the same time.

        Raises:
            LogTimeoutError, LogError: no answer, no such partition, credentials refused.
        """
        start = self._ask(partition, OffsetSpec.earliest(), timeout_s)
        end = self._ask(partition, OffsetSpec.latest(), timeout_s)
        return Offsets(
            self._answer(start, partition, timeout_s), self._answer(end, partition, timeout_s)
        )

    def end(self, partition: TopicPartition, *, timeout_s: float) -> int:
        """The end alone; raises what `both` raises."""
        asked = self._ask(partition, OffsetSpec.latest(), timeout_s)
        return self._answer(asked, partition, timeout_s)

    def check(self) -> None:
        """Say that credentials were refused, if they were."""
        self.admin.poll(0)
        self._credentials.check()

    def _connect(self) -> AdminClient:
        return AdminClient(
            kafka_settings.client(self._config, "weir-offsets") | {"error_cb": self._credentials},
            logger=LIBRDKAFKA,
        )

    def _ask(self, partition: TopicPartition, spec: OffsetSpec, timeout_s: float) -> Any:
        asked = {ck.TopicPartition(*partition): spec}
        futures = self.admin.list_offsets(
            asked, isolation_level=self._isolation, request_timeout=timeout_s
        )
        return next(iter(futures.values()))

    def _answer(self, future: Any, partition: TopicPartition, timeout_s: float) -> int:
        what = f"{partition.topic}[{partition.partition}]: offsets"
        try:
            offset: int = future.result(timeout_s + _GRACE_S).offset
        except KafkaException as error:
            self.check()
            if error.args[0].code() in _STALE_LEADER:
                self.admin = self._connect()
            raise ours(error.args[0], what) from error
        except TimeoutError as error:
            self.check()
            raise LogTimeoutError(f"{what}: no answer within {timeout_s} s") from error
        return offset
