"""Lane: the one consumer, producer and transactional id of a router process.

    poll ─▶ enforce ─▶ route ─▶ meter ─▶ commit ─▶ poll …
      any of them fails ─▶ fail: abort and seek back, or rebuild the clients

Every method runs in the lane's one thread, one batch set at a time. A batch set of an older epoch
is never committed: a failure and a partition that leaves each raise the epoch.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor

import structlog

from broker import metrics
from broker.clock import Clock
from broker.domain.policy import Policy
from broker.errors import (
    DeliveryUnwritableError,
    FencedError,
    LogAbortableError,
    LogTimeoutError,
    PoisonedBatchError,
    TopicUnwritableError,
    UnavailableError,
    WeirError,
)
from broker.flow.batch import Batch, BatchSet, Enforced, Metered, Routed
from broker.flow.blame import Blame
from broker.flow.chain import Chain
from broker.flow.clients import Clients, build
from broker.flow.commit import commit
from broker.flow.count import count
from broker.flow.enforce import enforce, may_be_new
from broker.flow.meter import meter
from broker.flow.pace import Pace
from broker.flow.partitions import topics_of
from broker.flow.route import route
from broker.flow.settings import LaneSettings
from broker.flow.source import recut
from broker.flow.tail import PolicyTail
from broker.flow.unstable import Unstable
from broker.flow.watch import stop_recreated, watch
from broker.log.ports import Log, TopicPartition

_log = structlog.get_logger(__name__)

# After these the clients may be kept; after any other error the outcome is unknown, or another
# worker owns the partitions.
_ABORTABLE = (
    DeliveryUnwritableError,
    LogAbortableError,
    TopicUnwritableError,
    PoisonedBatchError,
)


class Lane:
    """Exactly once from source topics to delivery topics."""

    def __init__(
        self, log: Log, *, instance: str, settings: LaneSettings, clock: Clock, executor: Executor
    ) -> None:
        self._log = log
        self._instance = instance
        self._settings = settings
        self._clock = clock
        self._executor = executor
        self._committed = log.reader(committed=True)
        self._uncommitted = log.reader(committed=False)
        self._tail = PolicyTail(self._committed)
        self._blame = Blame(settings.hold_s)
        self._pace = Pace()
        self._unstable = Unstable(settings.open_transaction_max_s)
        self._begun_s = 0.0
        self._failures = 0
        self._clients: Clients | None = None
        self._topics: list[str] = []
        self._in_flight: BatchSet | None = None
        self._topic_ids: Callable[[], Mapping[str, str]] = dict

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._tail.policy

    @property
    def ready(self) -> bool:
        """True while it has clients and a confirmed policy."""
        return self._clients is not None and not self._policy_is_old()

    @property
    def owned(self) -> dict[TopicPartition, Chain]:
        """The chains it holds, by source partition."""
        return {} if self._clients is None else dict(self._clients.partitions.chains)

    def open(self) -> None:
        """Build the clients: fence an older self, read the policy.

        Raises:
            LogError: Kafka is not there yet.
            UnavailableError: the internal topics are not.
        """
        self._advance()
        self._topics = []
        self._clients = build(
            self._log,
            self._instance,
            committed=self._committed,
            uncommitted=self._uncommitted,
            tail=self._tail,
            settings=self._settings,
            monotonic=self._clock.monotonic,
            executor=self._executor,
        )

    def poll(self) -> BatchSet | None:
        """The next batch set, with a transaction begun for it; None where there is nothing.

        Raises:
            WeirError: hand it to `fail`.
        """
        clients = self._opened()
        if self._tail.age_s(self._clock.monotonic()) >= self._settings.policy_interval_s:
            self._advance()
        self._subscribe(clients)
        self._retry_held()
        clients = self._opened()
        if not self._topics and not clients.partitions.chains:
            return None  # with chains the group has yet to take them, which it does in a poll
        share = self._pace.share
        fetched, group = clients.source.fetch(self._tail.policy, share=share)
        if clients.partitions.failure is not None:
            raise clients.partitions.failure
        clients.consumer.pause(sorted(clients.partitions.stopped))
        policy, now_ms = self._tail.policy, self._clock.now_ms()
        clients.partitions.go_on(now_ms)
        batches = clients.source.batches(fetched, policy, now_ms=now_ms, share=share)
        busy = {batch.partition for batch in batches}
        busy |= {one.partition for one in fetched if one.records}
        batches += clients.source.idle(policy, busy, now_ms=now_ms)
        if not batches:
            return None
        self._topic_ids = clients.guard.ask(sorted({b.partition.topic for b in batches}))
        self._begun_s = self._clock.monotonic()
        clients.producer.begin()
        _log.debug("transaction begun", batches=len(batches))
        self._in_flight = BatchSet(self._epoch(clients), group, policy, tuple(batches))
        return self._in_flight

    def enforce(self, batches: BatchSet) -> tuple[Enforced, ...]:
        """Decide on every batch; reads the control log on before an unknown id is refused."""
        self._current(batches)
        held = self._blame.held
        enforced = tuple(enforce(b, batches.policy, held=held) for b in batches.batches)
        if not any(map(may_be_new, enforced)):
            return enforced
        policy = self._advance()
        return tuple(
            enforce(piece, policy, held=held)
            for batch in batches.batches
            for piece in _recut(batch, policy)
        )

    def route(self, batches: BatchSet, enforced: tuple[Enforced, ...]) -> tuple[Routed, ...]:
        """Produce every batch inside the open transaction."""
        producer = self._current(batches).producer
        # One bound for the whole set, or a wide fan-out would outlast the transaction.
        deadline_s = self._clock.monotonic() + self._settings.send_timeout_s

        def left_s() -> float:
            return deadline_s - self._clock.monotonic()

        return tuple(route(one, producer, left_s=left_s) for one in enforced)

    def meter(self, batches: BatchSet, routed: tuple[Routed, ...]) -> tuple[Metered, ...]:
        """One segment a batch, in chain order.

        Raises:
            PoisonedBatchError: a batch does not follow on what is committed.
        """
        chains = dict(self._current(batches).partitions.chains)
        metered = []
        for one in routed:
            batch = one.enforced.batch
            chain = chains.get(batch.partition)
            if chain is None or batch.first_offset != chain.next_offset:
                raise PoisonedBatchError(
                    f"{batch.partition}: a batch at {batch.first_offset} does not follow on"
                )
            result = meter(one, chain)
            chains[batch.partition] = chain.after(result.segment, result.digest)
            metered.append(result)
        return tuple(metered)

    def commit(self, batches: BatchSet, metered: tuple[Metered, ...]) -> None:
        """Commit the open transaction; the chains move on only when it has."""
        clients = self._current(batches)
        self._check_topics(clients, batches)
        self._check_policy(metered)
        after = commit(
            metered,
            clients.partitions.chains,
            batches.group,
            clients.producer,
            usage_partitions=clients.usage_partitions,
            now_ms=self._clock.now_ms(),
            settings=self._settings,
        )
        clients.partitions.chains.update(after)
        self._in_flight = None
        self._blame.committed(metered)
        count(metered)
        took_s = self._clock.monotonic() - self._begun_s
        self._pace.committed(took_s)
        metrics.TRANSACTION_SECONDS.observe(took_s)
        _log.debug("transaction committed", segments=len(metered))

    def fail(self, error: WeirError) -> None:
        """Answer a failure of any step. Afterwards the lane polls on from what is committed.

        Raises:
            WeirError: the clients could not be rebuilt; call `rebuild` after a while.
        """
        self._failures += 1
        batches, self._in_flight = self._in_flight, None
        _log.warning("batch set failed", error=str(error), kind=type(error).__name__)
        metrics.TRANSACTIONS.labels(outcome=type(error).__name__).inc()
        if isinstance(error, (FencedError, LogTimeoutError)) and batches is not None:
            self._pace.timed_out()
        if isinstance(error, _ABORTABLE) and batches is not None:
            clients = self._opened()
            try:
                self._blame.find(
                    clients,
                    error,
                    batches,
                    self._tail.policy,
                    now_s=self._clock.monotonic(),
                    timeout_s=self._settings.request_timeout_s,
                )
                self._abort(clients)
            except WeirError as failed:
                _log.warning("abort failed, rebuilding the clients", error=str(failed))
            else:
                clients.source.forget()
                for tp in clients.partitions.routable():
                    clients.partitions.read_again(tp)
                    clients.consumer.seek(tp, clients.partitions.chains[tp].next_offset)
                return
        self.rebuild()

    def rebuild(self) -> None:
        """Destroy producer and consumer, make new ones, recover from the checkpoints.

        Raises:
            WeirError: not now; call it again after a while.
        """
        self._failures += 1
        self._in_flight = None
        clients, self._clients = self._clients, None
        if clients is not None:
            clients.close(timeout_s=self._settings.close_timeout_s)
        self.open()

    def observe(self) -> None:
        """Lag of each routable partition into the metrics; recreated topics are stopped.

        Raises:
            LogTimeoutError: a partition lags and has not moved for `stall_max_s`.
        """
        clients, now_s = self._opened(), self._clock.monotonic()
        metrics.POLICY_AGE_SECONDS.set(self._tail.age_s(now_s))
        policy, settings = self._tail.policy, self._settings
        watch(clients, policy, self._uncommitted, self._unstable, now_s=now_s, settings=settings)

    def close(self) -> None:
        """Abort what is in flight, leave the group, let go of every client."""
        clients, self._clients = self._clients, None
        if clients is not None:
            if self._in_flight is not None:
                self._in_flight = None
                try:
                    self._abort(clients)
                except WeirError as error:
                    _log.warning("abort failed on the way out", error=str(error))
            clients.close(timeout_s=self._settings.close_timeout_s)
        self._committed.close()
        self._uncommitted.close()

    def _opened(self) -> Clients:
        if self._clients is None:
            raise UnavailableError("lane: has no clients yet")
        return self._clients

    def _epoch(self, clients: Clients) -> int:
        return self._failures + clients.partitions.epoch

    def _current(self, batches: BatchSet) -> Clients:
        """The clients, if the batch set belongs to the present epoch.

        Raises:
            PoisonedBatchError: something failed, or a partition left, since it was polled.
        """
        clients = self._opened()
        if self._in_flight is not batches or batches.epoch != self._epoch(clients):
            raise PoisonedBatchError("batch set: polled under an assignment that has ended")
        return clients

    def _advance(self) -> Policy:
        return self._tail.advance(
            now_s=self._clock.monotonic(), timeout_s=self._settings.policy_age_max_s
        )

    def _policy_is_old(self) -> bool:
        return self._tail.age_s(self._clock.monotonic()) > self._settings.policy_age_max_s

    def _subscribe(self, clients: Clients) -> None:
        topics = topics_of(self._tail.policy)
        if topics != self._topics:
            clients.consumer.subscribe(topics, clients.partitions)
            self._topics = topics

    def _retry_held(self) -> None:
        """A producer that has met a missing topic never sees it again: a new one does."""

        def exists(topic: str) -> bool:
            timeout_s = self._settings.request_timeout_s
            return self._committed.partitions(topic, timeout_s=timeout_s) > 0

        if self._blame.retry(exists, self._tail.policy, now_s=self._clock.monotonic()):
            self.rebuild()
            self._subscribe(self._opened())

    def _check_topics(self, clients: Clients, batches: BatchSet) -> None:
        ids = self._topic_ids()
        for batch in batches.batches:
            actual = ids.get(batch.partition.topic)
            if actual != batch.product.topic_id:
                stop_recreated(clients, batch.partition, actual)
                raise PoisonedBatchError(f"topic {batch.partition.topic}: was recreated")

    def _check_policy(self, metered: tuple[Metered, ...]) -> None:
        """A slow batch set is not committed under a policy that has changed meanwhile."""
        if not self._policy_is_old():
            return
        now_s, timeout_s = self._clock.monotonic(), self._settings.policy_check_timeout_s
        policy = self._tail.advance(now_s=now_s, timeout_s=timeout_s)
        if any(one.segment.seq != policy.seq for one in metered):
            raise PoisonedBatchError(f"batch set: the policy has gone on to seq {policy.seq}")

    def _abort(self, clients: Clients) -> None:
        # Flush first: abort without it turns fatal after a few turns (KIP-890).
        clients.producer.flush(timeout_s=self._settings.flush_timeout_s)
        clients.producer.abort(timeout_s=self._settings.commit_timeout_s)


def _recut(batch: Batch, policy: Policy) -> tuple[Batch, ...]:
    product = policy.products[batch.product.id]
    if product.ended:
        raise PoisonedBatchError(f"product {product.id}: its topic has ended")
    return tuple(recut(batch, product))
