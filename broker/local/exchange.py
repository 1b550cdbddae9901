"""The exchange of one home: which processes it has, and `connections.json`, where they find it all.

    HOME/connections.json  operator.token        0600
         kafka/  postgres/                       embedded, unless the environment names other ones
         run/lock  run/supervisor.json  run/state.json  run/supervisor.log
         processes/serve/  router-1/ …  ledger/  log and record of each

`WEIR_KAFKA_BOOTSTRAP` and `WEIR_DATABASE_URL` are looked at each time it starts, each by itself.
"""

import json
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from broker.config import CONNECTIONS_FILE, KafkaConfig, connections
from broker.errors import InvalidFieldError
from broker.local.child import reap_record, recorded
from broker.local.jars import kafka_classpath
from broker.local.kafka import SERVING, EmbeddedKafka, Jvm
from broker.local.lock import DirectoryLock
from broker.local.own_clusters import check_names, check_reach
from broker.local.ports import HOST, RememberedPorts
from broker.local.postgres import EmbeddedPostgres
from broker.local.secret import kept_secret, write_secret
from broker.local.state import State
from broker.local.supervisor import StopRequested, Supervisor
from broker.local.unit import HttpProcess, Unit

ROUTERS_MAX = 64
# A line for each ten of the 46 jars is enough.
_JARS_TOLD = 10


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What `up` runs.

    Args:
        routers: how many router processes.
        without: names of processes to leave out, e.g. `ledger`.
        jvm: options of Kafka's Java machine.
    """

    routers: int = 1
    without: frozenset[str] = frozenset()
    jvm: Jvm = SERVING

    def __post_init__(self) -> None:
        if not 0 <= self.routers <= ROUTERS_MAX:
            raise InvalidFieldError("--routers", f"must be 0 to {ROUTERS_MAX}, is {self.routers}")


class Exchange:
    """Everything that runs for one home.

    Args:
        home: its directory, made where it does not exist.
        shape: what runs.
        environ: where clusters of one's own are named.

    Raises:
        InvalidFieldError: the environment or the home's connections.json cannot be meant.
    """

    def __init__(
        self, home: Path, *, shape: Shape, environ: Mapping[str, str] | None = None
    ) -> None:
        self.home = home.absolute()
        self._environ = os.environ if environ is None else environ
        check_names(self.home, self._environ)
        self._kafka = (
            None
            if self._environ.get("WEIR_KAFKA_BOOTSTRAP")
            else EmbeddedKafka(self.home / "kafka", jvm=shape.jvm)
        )
        self._postgres = (
            None
            if self._environ.get("WEIR_DATABASE_URL")
            else EmbeddedPostgres(self.home / "postgres")
        )
        self._shape = shape
        self._ports = RememberedPorts(self.home / "run" / "ports.json")

    def run(self, report: Callable[[State], None]) -> None:
        """Run everything until SIGTERM or SIGINT; leaves nothing behind. Blocks.

        Args:
            report: told the state of all processes as it changes.

        Raises:
            SetupError: this home is up already, or something did not get ready.
            UnavailableError: a cluster of one's own does not answer; nothing was started.
        """
        lock = DirectoryLock(self.home / "run")
        lock.acquire()
        try:
            self._run(report)
        finally:
            lock.release()

    def _run(self, told: Callable[[State], None]) -> None:
        reap_home(self.home)
        check_reach(self._environ)
        _record_supervisor(self.home)
        supervisor = Supervisor(
            self._stages(), home=self.home, on_ready=self._unit_ready, report=told
        )
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: supervisor.request_stop())
        try:
            self._fetch_jars(supervisor)
            self._write_connections()
            supervisor.start()
            supervisor.watch()
        except StopRequested:
            supervisor.stop()
        except BaseException as error:
            supervisor.stop()
            supervisor.fail(str(error))
            raise
        finally:
            supervisor_record(self.home).unlink(missing_ok=True)

    def _fetch_jars(self, supervisor: Supervisor) -> None:
        def report(present: int, total: int) -> None:
            if present % _JARS_TOLD == 0:
                supervisor.progress("kafka", f"fetching jars, {present} of {total}")
            supervisor.checkpoint()

        if self._kafka is not None:
            kafka_classpath(report=report)
            supervisor.progress("kafka", "")

    def _stages(self) -> list[list[tuple[str, Unit]]]:
        """Kafka and PostgreSQL, then `serve`, which makes topics and tables, then who uses them."""
        services: list[tuple[str, Unit]] = []
        if self._kafka is not None:
            services.append(("kafka", self._kafka))
        if self._postgres is not None:
            services.append(("postgres", self._postgres))
        routers = [f"router-{n + 1}" for n in range(self._shape.routers)]
        return [services, self._processes("serve"), self._processes(*routers, "ledger")]

    def _processes(self, *names: str) -> list[tuple[str, Unit]]:
        wanted = [name for name in names if name.split("-")[0] not in self._shape.without]
        ports = self._ports.usable(wanted)
        return [(name, self._process(name, ports[name])) for name in wanted]

    def _process(self, name: str, port: int) -> HttpProcess:
        verb, _, number = name.partition("-")
        where = {"serve": ["--host", HOST, "--port", str(port)]}
        arguments = where.get(verb, ["--metrics-port", str(port)])
        instance = ["--instance", number] if verb == "router" else []
        return HttpProcess(
            # -P: a directory named broker where `weir up` was called is not ours.
            ["-P", "-m", "broker", verb, "--home", str(self.home), *arguments, *instance],
            port=port,
            directory=self.home / "processes" / name,
            metrics=verb != "serve",
        )

    def _unit_ready(self, name: str) -> None:
        """An embedded service may have had to choose another port than it remembered."""
        if name in ("kafka", "postgres"):
            self._write_connections()

    def _write_connections(self) -> None:
        path = self.home / CONNECTIONS_FILE
        text = json.dumps(self._connections(), indent=1)
        if not path.exists() or path.read_text() != text:
            write_secret(path, text)

    def _connections(self) -> dict[str, object]:
        found = connections(self.home, self._completed_environ())
        kafka: KafkaConfig = self._kafka.config if self._kafka else found.kafka
        stored: dict[str, object] = {
            "kafka": {
                "bootstrap": kafka.bootstrap,
                "username": kafka.username,
                "password": kafka.password,
                "security_protocol": kafka.security_protocol,
                "ca_file": kafka.ca_file,
            },
            "database_url": found.database_url,
            "operator_token": kept_secret(self.home / "operator.token"),
        }
        if "serve" not in self._shape.without:
            stored["api_url"] = f"http://{HOST}:{self._ports.get('serve')}"
        return stored

    def _completed_environ(self) -> dict[str, str]:
        """The environment, completed by what is embedded, so that one rule reads both."""
        completed = dict(self._environ)
        if self._kafka:
            completed["WEIR_KAFKA_BOOTSTRAP"] = self._kafka.config.bootstrap
        if self._postgres:
            completed["WEIR_DATABASE_URL"] = self._postgres.database_url
        return completed


def reap_home(home: Path) -> list[str]:
    """End what a killed supervisor left running in this home; the names of what there was.

    In the reverse order of starting: who writes to Kafka ends before Kafka.
    """
    return [record.parent.name for record in _records(home) if reap_record(record)]


def left_running(home: Path) -> dict[str, int]:
    """Name and pid of what the records say and what still runs, supervised or not.

    Raises:
        SetupError: the home belongs to another user.
    """
    found = {record.parent.name: recorded(record) for record in _records(home)}
    return {name: process.pid for name, process in found.items() if process is not None}


def _records(home: Path) -> list[Path]:
    ours = sorted((home / "processes").glob("*/process.json"))
    return [*ours, home / "postgres" / "process.json", home / "kafka" / "process.json"]


def supervisor_record(home: Path) -> Path:
    """Where the supervisor's own pid and start time are."""
    return home / "run" / "supervisor.json"


def _record_supervisor(home: Path) -> None:
    us = psutil.Process()
    stored = {
        "pid": us.pid,
        "started": us.create_time(),
        "stop_signal": int(signal.SIGTERM),
    }
    write_secret(supervisor_record(home), json.dumps(stored))
