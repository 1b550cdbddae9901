"""Faults as values: each strikes when its block begins and is healed when the block ends.

with fault.struck(stage) as mid_work: …      whether it hit a router in mid-work
"""

import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count, cycle
from random import Random
from typing import Protocol

from broker.faults.midwork import Journal
from broker.faults.stage import ROUTERS, Stage, kill, send

# Long enough for a router that has to wait for a dead one's transaction.
_AIM_S = 30.0
# A transaction of a light load takes about this long.
_INTO_MAX_S = 0.02
_TAKEOVERS = 0.4
_OTHER_EVERY = 4


class Fault(Protocol):
    """What can be done to a stage."""

    def struck(self, stage: Stage) -> AbstractContextManager[bool]:
        """Strike, and heal when the block ends, however it ends."""


@dataclass(frozen=True)
class KillRouter:
    """Kill -9 of one router, a moment after a transaction of it began.

    Args:
        router: which.
        into_s: how long after the line `transaction begun` in its log.
        takeover: the other router must take over before this one is started again.
    """

    router: int
    into_s: float
    takeover: bool

    @contextmanager
    def struck(self, stage: Stage) -> Iterator[bool]:
        """Gives whether the router's log shows a transaction under way."""
        process = stage.routers[self.router]
        journal = Journal(stage.log_of(self.router))
        journal.wait_begun(timeout_s=_AIM_S)
        time.sleep(self.into_s)
        kill(process)
        try:
            mid_work = journal.working()
            if self.takeover:
                stage.wait_routed()
            yield mid_work
        finally:
            process.launch()
            stage.ready(process)


@dataclass(frozen=True)
class PauseRouter:
    """SIGSTOP until the group has given its partitions away: then it wakes as a zombie.

    Args:
        router: which.
        into_s: how long after the line `transaction begun` in its log.
    """

    router: int
    into_s: float

    @contextmanager
    def struck(self, stage: Stage) -> Iterator[bool]:
        """Gives False: a pause is no kill."""
        process = stage.routers[self.router]
        journal = Journal(stage.log_of(self.router))
        journal.wait_begun(timeout_s=_AIM_S)
        time.sleep(self.into_s)
        send(process, signal.SIGSTOP)
        try:
            stage.wait_routed()
            yield False
        finally:
            send(process, signal.SIGCONT)
            stage.ready(process)


@dataclass(frozen=True)
class RestartBroker:
    """The broker goes and comes back, by kill -9 or in good order."""

    hard: bool

    @contextmanager
    def struck(self, stage: Stage) -> Iterator[bool]:
        """Gives False: no router was hit."""
        try:
            if self.hard:
                stage.kafka.kill()
            else:
                stage.kafka.stop()
            yield False
        finally:
            stage.kafka.start()


@dataclass(frozen=True)
class KillLedger:
    """Kill -9 of the ledger."""

    @contextmanager
    def struck(self, stage: Stage) -> Iterator[bool]:
        """Gives False: no router was hit."""
        kill(stage.ledger)
        try:
            yield False
        finally:
            stage.ledger.launch()
            stage.ready(stage.ledger)


def schedule(seed: int) -> Iterator[Fault]:
    """Kills of routers without end, after every fourth another fault in turn, from one seed."""
    choose = Random(seed)  # noqa: S311  a seed replays it
    others = cycle((RestartBroker(hard=True), None, KillLedger(), RestartBroker(hard=False)))
    for number in count(1):
        router = choose.randrange(ROUTERS)
        into_s = choose.uniform(0, _INTO_MAX_S)
        yield KillRouter(router, into_s, takeover=choose.random() < _TAKEOVERS)
        if number % _OTHER_EVERY == 0:
            yield next(others) or PauseRouter(choose.randrange(ROUTERS), into_s)
