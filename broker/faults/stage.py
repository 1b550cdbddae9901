"""Stage: real Kafka and PostgreSQL, two routers and a ledger as processes, in one directory."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, func, select

from broker.config import CONNECTIONS_FILE, Connections
from broker.errors import LogError, UnavailableError
from broker.faults.load import Load
from broker.faults.market import PARTITIONS, SUBSCRIPTIONS, TOPIC, open_market
from broker.local.child import wait_until
from broker.local.kafka import SERVING, EmbeddedKafka, Jvm
from broker.local.ports import free_ports
from broker.local.postgres import EmbeddedPostgres
from broker.local.secret import write_secret
from broker.local.unit import HttpProcess
from broker.log.kafka import KafkaLog
from broker.log.ports import Offsets, TopicPartition
from broker.store.base import engine
from broker.store.ledger import Usage
from broker.store.migrate import migrate

ROUTER_GROUP = "weir-router"
ROUTERS = 2
_ASK_S = 5.0
_READY_S = 60.0
# A killed router's transaction may hold its partitions for 15 s, its membership for 6 s more; a
# restarted broker takes up to 14 s.
PROGRESS_S = 180.0


class Stage:
    """A context manager; nothing is left running, its files are the caller's.

    Args:
        directory: state and logs.
        seed: of the load.
        records_per_s: of the load.
        jvm: of the broker.
    """

    def __init__(
        self, directory: Path, *, seed: int, records_per_s: int, jvm: Jvm = SERVING
    ) -> None:
        self.directory = directory.absolute()
        self.kafka = EmbeddedKafka(self.directory / "kafka", jvm=jvm)
        self.routers: list[HttpProcess] = []
        self._postgres = EmbeddedPostgres(self.directory / "postgres", settings={"fsync": "off"})
        self._seed = seed
        self._records_per_s = records_per_s
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start everything, in order, each when what it needs is ready.

        Raises:
            SetupError: Kafka or PostgreSQL did not start.
            UnavailableError: a process did not get ready; names its log.
        """
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything, in the opposite order."""
        self._stack.close()

    def log_of(self, router: int) -> Path:
        """The log file of a router."""
        return self.directory / f"router-{router}" / "log"

    def ready(self, process: HttpProcess) -> None:
        """Wait until a process does its work.

        Raises:
            UnavailableError: not within a minute; says why.
        """
        if not wait_until(process.ready, timeout_s=_READY_S):
            raise UnavailableError(f"not ready within {_READY_S:.0f} s: {process.why()}")

    def wait_routed(self) -> None:
        """Wait until what is in the source now has been routed and committed.

        Raises:
            UnavailableError: no progress; names the partition.
        """
        places = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
        ends: dict[TopicPartition, int] = {}

        def routed() -> bool:
            try:
                for place in places:
                    if place not in ends:
                        ends[place] = self._offsets(place).last_stable
                found = self._group.committed(places, timeout_s=_ASK_S)
            except LogError:
                # The broker is on its way back, or a dead router's transaction holds the offsets.
                return False
            return all(place in found and found[place].offset >= ends[place] for place in places)

        self.until(routed, f"what stands in {TOPIC} was not routed")

    def wait_billed(self, records: int) -> None:
        """Wait until PostgreSQL holds so many records of every subscription, or more.

        Raises:
            UnavailableError: it does not.
        """
        self.until(
            lambda: min(self.billed().values()) >= records, f"{records} records were not billed"
        )

    def billed(self) -> dict[str, int]:
        """Records of each subscription in PostgreSQL."""
        query = select(Usage.subscription, func.sum(Usage.records)).group_by(Usage.subscription)
        with self.database.connect() as connection:
            found = {name: int(count) for name, count in connection.execute(query)}
        return {name: found.get(name, 0) for name in SUBSCRIPTIONS}

    def until(self, met: Callable[[], bool], otherwise: str) -> None:
        """Wait for a condition, three minutes at most.

        Raises:
            UnavailableError: `otherwise` happened.
        """
        if not wait_until(met, timeout_s=PROGRESS_S):
            raise UnavailableError(
                f"{otherwise} within {PROGRESS_S:.0f} s; logs are in {self.directory}"
            )

    def _offsets(self, place: TopicPartition) -> Offsets:
        return self._reader.offsets(place, timeout_s=_ASK_S)

    def _start(self) -> None:
        enter, later = self._stack.enter_context, self._stack.callback
        # As root, PostgreSQL runs as another user, who must come in.
        self.directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        enter(self.kafka)
        enter(self._postgres)
        url = self._postgres.database_url
        self.connections = Connections(kafka=self.kafka.config, database_url=url)
        write_secret(self.directory / CONNECTIONS_FILE, _stored(self.connections))
        migrate(url)
        self.database: Engine = engine(url)
        later(self.database.dispose)
        open_market(self.kafka.config, self.database)
        self.log = log = KafkaLog(self.kafka.config)
        self._group = log.consumer(ROUTER_GROUP, instance="weir-faults")
        later(self._group.close, timeout_s=_ASK_S)
        self._reader = log.reader(committed=True)
        later(self._reader.close)
        ports = iter(free_ports(1 + ROUTERS))
        self.ledger = self._process("ledger", next(ports))
        self.routers = [self._process("router", next(ports), n) for n in range(ROUTERS)]
        for process in (self.ledger, *self.routers):
            later(process.stop)
            process.launch()
        for process in (self.ledger, *self.routers):
            self.ready(process)
        self.load = enter(
            Load(self.kafka.config, seed=self._seed, records_per_s=self._records_per_s)
        )

    def _process(self, verb: str, port: int, instance: int = 0) -> HttpProcess:
        arguments = ["-P", "-m", "broker", verb, "--home", str(self.directory)]
        arguments += ["--metrics-port", str(port), "--instance", str(instance)]
        directory = self.directory / f"{verb}-{instance}"
        return HttpProcess(arguments, port=port, directory=directory, metrics=True)


def _stored(connections: Connections) -> str:
    kafka = connections.kafka
    stored = {
        "kafka": {
            "bootstrap": kafka.bootstrap,
            "username": kafka.username,
            "password": kafka.password,
        },
        "database_url": connections.database_url,
    }
    return json.dumps(stored)


def send(process: HttpProcess, number: signal.Signals) -> None:
    """Send a signal to a process that was launched."""
    if process.pid is None:
        raise UnavailableError("the process was never launched")
    os.killpg(process.pid, number)


def kill(process: HttpProcess) -> None:
    """SIGKILL, and wait until it is gone."""
    send(process, signal.SIGKILL)
    wait_until(lambda: not process.alive, timeout_s=_ASK_S)
