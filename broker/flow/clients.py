"""Clients: what a lane destroys and makes anew when an outcome is unknown."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from broker.domain.names import USAGE_TOPIC
from broker.errors import UnavailableError
from broker.flow import ROUTER_GROUP
from broker.flow.guard import TopicGuard
from broker.flow.partitions import Partitions
from broker.flow.progress import Progress
from broker.flow.recover import Recovery
from broker.flow.settings import LaneSettings
from broker.flow.source import Source
from broker.flow.tail import PolicyTail
from broker.log.ports import Consumer, Log, Producer, Reader


@dataclass(frozen=True, slots=True)
class Clients:
    """One consumer, one producer, and the state that is void without them."""

    consumer: Consumer
    producer: Producer
    partitions: Partitions
    source: Source
    guard: TopicGuard
    usage_partitions: int
    progress: Progress = field(default_factory=Progress)

    def close(self, *, timeout_s: float) -> None:
        """Let go of both, each bounded."""
        self.producer.close(timeout_s=timeout_s)
        self.partitions.lost(list(self.partitions.chains))
        self.consumer.close(timeout_s=timeout_s)


def build(
    log: Log,
    instance: str,
    *,
    committed: Reader,
    uncommitted: Reader,
    tail: PolicyTail,
    settings: LaneSettings,
    monotonic: Callable[[], float],
    executor: Executor,
) -> Clients:
    """Fence an older self, then make the clients. Joining the group is `subscribe`'s.

    Raises:
        LogError: Kafka does not answer.
        UnavailableError: `weir.usage` is not there yet.
    """
    usage_partitions = committed.partitions(USAGE_TOPIC, timeout_s=settings.request_timeout_s)
    if not usage_partitions:
        raise UnavailableError(f"topic {USAGE_TOPIC}: is not there yet; `weir serve` makes it")
    producer = log.producer(transactional_id=f"weir-router-{instance}")
    try:
        producer.init_transactions(timeout_s=settings.recover_timeout_s)
        consumer = log.consumer(ROUTER_GROUP, instance=instance)
    except BaseException:
        producer.close(timeout_s=settings.close_timeout_s)
        raise
    recovery = Recovery(
        committed,
        uncommitted,
        usage_partitions=usage_partitions,
        timeout_s=settings.request_timeout_s,
        wait_s=settings.recover_timeout_s,
    )
    partitions = Partitions(
        consumer, recovery, uncommitted, tail, settings=settings, monotonic=monotonic
    )
    return Clients(
        consumer=consumer,
        producer=producer,
        partitions=partitions,
        source=Source(consumer, partitions, settings),
        guard=TopicGuard(uncommitted, executor, timeout_s=settings.topic_ids_timeout_s),
        usage_partitions=usage_partitions,
    )
