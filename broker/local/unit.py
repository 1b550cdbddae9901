"""What the supervisor watches: the embedded services, and processes that answer `/readyz`."""

import http.client
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from broker.local.child import STOP_TIMEOUT_S, Child, Command, spawn, tail
from broker.local.ports import HOST

_ASK_TIMEOUT_S = 3.0
_OK, _UNWELL = 200, 503
_SAID_MAX = 300


class Unit(Protocol):
    """A process that can be launched, asked and stopped. `EmbeddedKafka` is one."""

    @property
    def alive(self) -> bool:
        """Whether its process runs."""

    @property
    def pid(self) -> int | None:
        """Its process id; None before the first launch."""

    @property
    def address(self) -> str:
        """Where it answers."""

    def launch(self) -> None:
        """Start the process and return at once; ends first what an earlier run left of it."""

    def ready(self) -> bool:
        """Whether it does its work. Blocks a few seconds at most."""

    def stop(self, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End it, by force after `timeout_s`. Repeatable."""

    def why(self) -> str:
        """Why it does not run or is not ready, and where to read on."""


class HttpProcess:
    """A Python process that answers `/readyz` on its port.

    Args:
        arguments: after `python`, e.g. `["-m", "broker", "router", …]`; no secrets.
        port: where it will listen.
        directory: its log and record go here.
        metrics: where it serves only metrics and health: shows in its address.
    """

    def __init__(
        self, arguments: Sequence[str], *, port: int, directory: Path, metrics: bool = False
    ) -> None:
        self.port = port
        self._suffix = "/metrics" if metrics else ""
        self._seen_bytes = 0
        self._child: Child | None = None
        self._command = Command(
            argv=[sys.executable, *arguments],
            log=directory / "log",
            record=directory / "process.json",
            # Ours, since files that the environment names may be named from here.
            cwd=Path.cwd(),
        )

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """Its process id; None before the first launch."""
        return self._child.pid if self._child else None

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://{HOST}:{self.port}{self._suffix}"

    def launch(self) -> None:
        """Start the process and return at once."""
        log = self._command.log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._seen_bytes = log.stat().st_size if log.exists() else 0
        self._child = spawn(self._command)

    def ready(self) -> bool:
        """Whether it runs and `/readyz` says 200."""
        return self.alive and get(self.port, "/readyz")[0] == _OK

    def stop(self, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End it, by force after `timeout_s`. Repeatable."""
        if self._child is not None:
            self._child.stop(timeout_s=timeout_s)

    def why(self) -> str:
        """How it ended, what its log says last, and where the log is."""
        code = self._child.exit_code if self._child else None
        ended = f"it ended with {code}" if code is not None else "it runs but /readyz says no"
        said = last_words(tail(self._command.log, self._seen_bytes))
        last = f": {said}" if said else ""
        return f"{ended}{last}; the whole story is in {self._command.log}"


def last_words(lines: Sequence[str]) -> str:
    """The line of a log that says why its process ended; empty where none does.

    That is the last one of `weir:`, which every verb ends with; else the last that is no aside.
    """
    said = [line.strip() for line in lines if line.strip()]
    ours = [line for line in said if line.startswith("weir: ")]
    others = [line for line in said if not line.startswith("(")]
    return (ours or others or [""])[-1][:_SAID_MAX]


def wants_restart(unit: Unit) -> str:
    """Why a process of ours says that it had better be restarted; empty if it does not.

    No answer says nothing: a busy machine must not be made busier by restarts.
    """
    if not isinstance(unit, HttpProcess):
        return ""
    code, why = get(unit.port, "/livez")
    return why.strip() or "it gives no reason" if code == _UNWELL else ""


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body of a local GET; status 0 where nobody answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_ASK_TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
