"""A router's lane on real Kafka in a process of its own, driven step by step over a pipe.

It can be stopped and continued by signal at any point between two steps, or be made careless: then
it lacks the rule that a batch belongs to the assignment it was polled under.
"""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from broker import metrics
from broker.clock import SystemClock
from broker.config import KafkaConfig
from broker.errors import WeirError
from broker.flow.batch import BatchSet, Metered
from broker.flow.chain import Chain
from broker.flow.clients import Clients
from broker.flow.lane import Lane
from broker.flow.settings import LaneSettings
from broker.log import kafka_settings
from broker.log.kafka import KafkaLog

ANSWER_S = 60.0
# Longer than a zombie sleeps here: it shall be refused by our rule, not by the broker's time-out.
TRANSACTION_TIMEOUT_S = 120.0


class Careless(Lane):
    """A lane without the rule: it takes its group metadata when it commits, and trusts it."""

    def _current(self, batches: BatchSet) -> Clients:
        clients = self._opened()
        object.__setattr__(batches, "group", clients.consumer.group_metadata())
        for batch in batches.batches:
            # What it would remember of a partition that left and came back.
            chains = clients.partitions.chains
            chains[batch.partition] = replace(
                chains.get(batch.partition, Chain(batch.product.topic_id, 0)),
                next_offset=batch.first_offset,
            )
        return clients


class Worker:
    """The process, seen from the test; a context manager."""

    def __init__(self, config: KafkaConfig, name: str, *, lane_class: type[Lane] = Lane) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, config, name, lane_class))
        self._name = name

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def stop(self) -> None:
        """SIGSTOP: it does nothing more, heartbeats included."""
        os.kill(self._pid, signal.SIGSTOP)

    def wake(self) -> None:
        """SIGCONT."""
        os.kill(self._pid, signal.SIGCONT)

    def step(self) -> int:
        """One batch set from poll to commit; how far its chains reach now, summed."""
        return int(self._ask("step"))

    def hold(self) -> int:
        """One batch set up to, but not including, the commit; how many records it holds."""
        return int(self._ask("hold"))

    def rejoin(self) -> bool:
        """Poll the group once, dropping what comes; whether it lost all and got some back."""
        return bool(self._ask("rejoin"))

    def watch(self) -> list[str]:
        """Look at the topics as it does every two seconds; the alarms that stand, sorted."""
        return list(self._ask("watch"))

    def commit_held(self) -> str:
        """Commit what `hold` left; the name of the error, empty where it was accepted."""
        return str(self._ask("commit_held"))

    @property
    def _pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def _ask(self, step: str) -> Any:
        self._pipe.send(step)
        assert self._pipe.poll(ANSWER_S), f"worker {self._name}: no answer to {step}"
        return self._pipe.recv()


def _serve(pipe: Connection, config: KafkaConfig, name: str, lane_class: type[Lane]) -> None:
    kafka_settings.TRANSACTION_TIMEOUT_S = TRANSACTION_TIMEOUT_S
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with ThreadPoolExecutor(1) as guard:
        lane = lane_class(
            KafkaLog(config),
            instance=name,
            settings=LaneSettings(),
            clock=SystemClock(),
            executor=guard,
        )
        lane.open()
        steps = _Steps(lane)
        while True:
            pipe.send(getattr(steps, pipe.recv())())


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


class _Steps:
    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._held: tuple[BatchSet, tuple[Metered, ...]] | None = None

    def step(self) -> int:
        if self.hold():
            self.commit_held()
        return sum(chain.next_offset for chain in self._lane.owned.values())

    def hold(self) -> int:
        lane = self._lane
        try:
            batches = lane.poll()
            if batches is None:
                return 0
            metered = lane.meter(batches, lane.route(batches, lane.enforce(batches)))
            lane._topic_ids()  # asleep it could not take the answer in before the deadline
        except WeirError as error:
            lane.fail(error)
            return 0
        self._held = (batches, metered)
        if not any(len(batch.records) for batch in batches.batches):
            self.commit_held()
            return 0
        return sum(len(batch.records) for batch in batches.batches)

    def rejoin(self) -> bool:
        assert self._held is not None
        clients = self._lane._opened()
        clients.consumer.poll(records_max=1, timeout_s=0.2)
        return self._held[0].epoch != self._lane._epoch(clients) and bool(self._lane.owned)

    def commit_held(self) -> str:
        assert self._held is not None
        (batches, metered), self._held = self._held, None
        try:
            self._lane.commit(batches, metered)
        except WeirError as error:
            self._lane.fail(error)
            return type(error).__name__
        return ""

    def watch(self) -> list[str]:
        try:
            self._lane.observe()
        except WeirError as error:
            self._lane.fail(error)
        samples = [sample for family in metrics.ALARM.collect() for sample in family.samples]
        labels = [sample.labels for sample in samples if sample.value]
        return sorted(f"{one['kind']}: {one['subject']}" for one in labels)
