"""Partitions: what this lane owns, and where each chain stands. Told by the group, inside `poll`.

assigned ─recover─▶ owned ─revoked or lost─▶ gone
                      └─stop─▶ stopped (an alarm stands; nothing of it is routed)
                                 └─its time comes─▶ owned, read again from the chain's end
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from broker import metrics
from broker.alarms import Alarm, clear_alarm, raise_alarm
from broker.domain.policy import Policy, ProductRule
from broker.errors import ChainBrokenError, LogTimeoutError, WeirError
from broker.flow import ROUTER_GROUP
from broker.flow.chain import Chain
from broker.flow.recover import Recovery
from broker.flow.settings import LaneSettings
from broker.flow.tail import PolicyTail
from broker.log.ports import Committed, Consumer, Reader, TopicPartition


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets up to `next_offset` that cannot be read, and why."""

    next_offset: int
    reason: str


class Partitions:
    """The group's word turned into chains. `epoch` rises whenever a partition leaves.

    A callback must not raise through librdkafka: `failure` holds what went wrong, and the lane
    raises it after the poll.
    """

    def __init__(
        self,
        consumer: Consumer,
        recovery: Recovery,
        reader: Reader,
        tail: PolicyTail,
        *,
        settings: LaneSettings,
        monotonic: Callable[[], float],
    ) -> None:
        self.chains: dict[TopicPartition, Chain] = {}
        self.ends: dict[TopicPartition, int] = {}
        self.gaps: dict[TopicPartition, Gap] = {}
        self.stopped: dict[TopicPartition, Alarm] = {}
        self._until_ms: dict[TopicPartition, int] = {}
        self.epoch = 0
        self.failure: WeirError | None = None
        self._consumer = consumer
        self._recovery = recovery
        self._reader = reader
        self._tail = tail
        self._settings = settings
        self._monotonic = monotonic

    def routable(self) -> list[TopicPartition]:
        """Owned and not stopped, in a fixed order."""
        return sorted(set(self.chains) - set(self.stopped))

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Recover each chain; where to read from. Partitions left out are paused."""
        starts: dict[TopicPartition, int] = {}
        try:
            committed = self._committed(partitions)
            ids = self._reader.topic_ids(
                sorted({tp.topic for tp in partitions}), timeout_s=self._settings.request_timeout_s
            )
            for tp in partitions:
                start = self._start(tp, committed.get(tp), ids.get(tp.topic))
                if start is not None:
                    starts[tp] = start
        except WeirError as error:
            self.failure = error
        return starts

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Nothing is in flight while the lane polls; what it holds back of them is dropped."""
        self._leave(partitions)

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        """As revoked: whatever was polled before belongs to an older epoch now."""
        self._leave(partitions)

    def stop(
        self, partition: TopicPartition, kind: Alarm, why: str, *, until_ms: int | None = None
    ) -> None:
        """Route nothing of it any more, with an alarm on it; `until_ms`: by the router's clock."""
        if until_ms is not None:
            self._until_ms[partition] = until_ms
        subject = f"{partition.topic}/{partition.partition}"
        self.stopped[partition] = kind
        raise_alarm(kind, subject, why)

    def go_on(self, now_ms: int) -> None:
        """Read those on whose time has come, or whom their product has come to have.

        From the chain's end. Call it between fetch and batches: nothing that waits is of a stopped
        one then.

        Raises:
            LogError: a partition cannot be sought.
        """
        for tp in [tp for tp, until_ms in self._until_ms.items() if until_ms <= now_ms]:
            self.read_again(tp)
            self._consumer.seek(tp, self.chains[tp].next_offset)
            self._start_again(tp)
            self._consumer.resume([tp])
        for tp in [tp for tp, kind in self.stopped.items() if kind is Alarm.KAFKA_DRIFT]:
            product = self._tail.policy.product_of(tp.topic)
            if product is not None and tp.partition < product.partitions:
                self._start_again(tp)
                for begun, start in self.assigned([tp]).items():
                    self._consumer.seek(begun, start)
                    self._consumer.resume([begun])

    def read_again(self, partition: TopicPartition) -> None:
        """Reading goes back to the chain's end: what was seen beyond it will be seen again."""
        self.ends.pop(partition, None)
        self.gaps.pop(partition, None)

    def _leave(self, partitions: Sequence[TopicPartition]) -> None:
        self.epoch += 1
        for tp in partitions:
            self.chains.pop(tp, None)
            self.ends.pop(tp, None)
            self.gaps.pop(tp, None)
            self._forget_lag(tp)
            self._start_again(tp)

    def _start_again(self, tp: TopicPartition) -> None:
        self._until_ms.pop(tp, None)
        kind = self.stopped.pop(tp, None)
        if kind is not None:
            clear_alarm(kind, f"{tp.topic}/{tp.partition}")

    def _forget_lag(self, tp: TopicPartition) -> None:
        """Another router tells of it now."""
        product = self._tail.policy.product_of(tp.topic)
        if product is not None:
            with suppress(KeyError):
                metrics.LAG_RECORDS.remove(product.id, str(tp.partition))

    def _committed(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Committed]:
        """Committed offsets; a crashed owner's open transaction holds the answer up."""
        deadline = self._monotonic() + self._settings.recover_timeout_s
        while True:
            try:
                committed = self._consumer.committed(
                    partitions, timeout_s=self._settings.request_timeout_s
                )
            except LogTimeoutError:
                if self._monotonic() >= deadline:
                    why = "the committed offsets do not become readable; see docs/operator.md"
                    raise_alarm(Alarm.HANGING_TRANSACTION, ROUTER_GROUP, why)
                    raise
            else:
                clear_alarm(Alarm.HANGING_TRANSACTION, ROUTER_GROUP)
                return committed

    def _start(
        self, tp: TopicPartition, committed: Committed | None, topic_id: str | None
    ) -> int | None:
        product = self._tail.policy.product_of(tp.topic)
        if product is None or product.ended:
            self.stop(tp, Alarm.TOPIC_ENDED, "the policy knows no such topic, or it has ended")
            return None
        if topic_id != product.topic_id:
            self.stop(tp, Alarm.TOPIC_RECREATED, f"its id is {topic_id}, not {product.topic_id}")
            return None
        if tp.partition >= product.partitions:
            # Its delivery topics have no such partition: trying would hold their subscriptions up.
            why = f"the topic has it, but its product has {product.partitions} partitions"
            self.stop(tp, Alarm.KAFKA_DRIFT, why)
            return None
        try:
            chain = self._recovery.chain(tp, product.topic_id, committed)
        except ChainBrokenError as error:
            self.stop(tp, Alarm.CHECKPOINT_BROKEN, str(error))
            return None
        self._policy_at_least(chain.seq)
        return self._within_log(tp, chain)

    def _within_log(self, tp: TopicPartition, chain: Chain) -> int | None:
        self.chains[tp] = chain
        log = self._consumer.offsets(tp, timeout_s=self._settings.request_timeout_s)
        if chain.next_offset > log.last_stable:
            why = f"committed {chain.next_offset}, but the log ends at {log.last_stable}"
            self.stop(tp, Alarm.BEYOND_END, why)
            return None
        if chain.next_offset < log.start:
            why = f"offsets {chain.next_offset} to {log.start} expired before they were routed"
            raise_alarm(Alarm.GAP, f"{tp.topic}/{tp.partition}", why)
            self.gaps[tp] = Gap(log.start, "expired")
            return log.start
        return chain.next_offset

    def _policy_at_least(self, seq: int) -> Policy:
        if self._tail.policy.seq < seq:
            self._tail.advance(now_s=self._monotonic(), timeout_s=self._settings.request_timeout_s)
        if self._tail.policy.seq < seq:
            raise LogTimeoutError(
                f"control log: a segment was made under seq {seq}, "
                f"the log's end is {self._tail.policy.seq}"
            )
        return self._tail.policy


def topics_of(policy: Policy) -> list[str]:
    """Source topics that are routed under this policy."""
    return sorted(rule.topic for rule in policy.products.values() if not rule.ended)


def products_by_topic(policy: Policy) -> dict[str, ProductRule]:
    """Products by their source topic."""
    return {rule.topic: rule for rule in policy.products.values()}
