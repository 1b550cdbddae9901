"""One child process: started in a session of its own, recorded, ended with all it started.

A child outlives a parent that is killed. Its record (pid and start time, since pids are reused)
lies beside its files, and whoever starts it next ends the old one first.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from broker.errors import SetupError

# A broker that has lost its data directory ignores SIGTERM for ever (measured): then SIGKILL.
STOP_TIMEOUT_S = 10.0
_KILL_TIMEOUT_S = 10.0
_POLL_S = 0.02
_LOG_MAX_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run, as whom, and where its output and its record go.

    Args:
        argv: never holds a secret, since every user of the machine can read it.
        log: both outputs are appended here.
        record: file for the pid and start time.
        user: numeric user id to run as; None is our own.
        environ: added to our own environment.
        stop_signal: what asks it to end in good order.
    """

    argv: Sequence[str]
    log: Path
    record: Path
    cwd: Path
    user: int | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM


class Child:
    """A running process. Made by `spawn`."""

    def __init__(self, command: Command, popen: "subprocess.Popen[bytes]") -> None:
        self.command = command
        self._popen = popen

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative is the signal that ended it."""
        return self._popen.poll()

    @property
    def alive(self) -> bool:
        """Whether it runs still."""
        return self.exit_code is None

    def stop(self, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Ask it to end, wait, then end it and whatever it started. Blocks that long at most."""
        if self.alive:
            self._popen.send_signal(self.command.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout_s)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to it and whatever it started, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait(_KILL_TIMEOUT_S)
        self.command.record.unlink(missing_ok=True)


def spawn(command: Command) -> Child:
    """Start it, once whatever a killed parent left of it has ended."""
    reap(command)
    with _log(command.log) as log:
        popen = subprocess.Popen(
            list(command.argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=command.cwd,
            env={**os.environ, **command.environ},
            start_new_session=True,
            user=command.user,
            extra_groups=None if command.user is None else [],
        )
    with contextlib.suppress(psutil.NoSuchProcess):
        started = psutil.Process(popen.pid).create_time()
        stored = {"pid": popen.pid, "started": started, "stop_signal": int(command.stop_signal)}
        command.record.write_text(json.dumps(stored))
    return Child(command, popen)


def reap(command: Command, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
    """End what a killed parent left running of this command.

    Found by its record, and by its command line in case the parent died before it could write one.

    Raises:
        SetupError: it does not end even by SIGKILL.
    """
    known = recorded(command.record)
    left = [
        process
        for process in psutil.process_iter()
        if process == known or _command_line(process) == list(command.argv)
    ]
    _end(left, command.stop_signal, timeout_s)
    command.record.unlink(missing_ok=True)


def reap_record(record: Path, *, timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """End the process that a record names; whether there was one.

    Raises:
        SetupError: it does not end even by SIGKILL.
    """
    known = recorded(record)
    if known is not None:
        _end([known], signal.Signals(json.loads(record.read_text())["stop_signal"]), timeout_s)
    record.unlink(missing_ok=True)
    return known is not None


def recorded(record: Path) -> psutil.Process | None:
    """The process that a record names, if it still runs.

    Raises:
        SetupError: the record belongs to another user.
    """
    try:
        stored = json.loads(record.read_text())
        process = psutil.Process(stored["pid"])
        same = abs(process.create_time() - stored["started"]) < 1
        return process if same and is_running(process) else None
    except (FileNotFoundError, ValueError, KeyError, psutil.NoSuchProcess):
        return None
    except PermissionError as error:
        raise SetupError(f"{record}: belongs to another user; be that user") from error


def is_running(process: psutil.Process) -> bool:
    """Whether it runs. A zombie does not: where nobody collects orphans it stays one for ever."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def gone(processes: Sequence[psutil.Process], *, timeout_s: float) -> list[psutil.Process]:
    """Wait until they run no more; those that still do after `timeout_s`."""
    wait_until(lambda: not any(map(is_running, processes)), timeout_s=timeout_s)
    return [process for process in processes if is_running(process)]


def wait_until(ready: Callable[[], bool], *, timeout_s: float) -> bool:
    """Poll a condition; whether it held in time."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def tail(log: Path, seen_bytes: int) -> list[str]:
    """Lines of a log after its first `seen_bytes`; all where it was rolled over since."""
    if not log.exists():
        return []
    with log.open("rb") as opened:
        opened.seek(seen_bytes if log.stat().st_size >= seen_bytes else 0)
        return opened.read().decode(errors="replace").splitlines()


def _end(processes: list[psutil.Process], stop_signal: signal.Signals, timeout_s: float) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(stop_signal)
    gone(processes, timeout_s=timeout_s)
    for process in processes:
        # The group, so that what it started goes too, also where it has ended itself.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    stubborn = gone(processes, timeout_s=_KILL_TIMEOUT_S)
    if stubborn:
        raise SetupError(
            f"process {stubborn[0].pid}: left over from an earlier run and does not end; end it"
        )


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return []


def _log(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LOG_MAX_BYTES:
        path.replace(path.with_suffix(path.suffix + ".1"))
    return path.open("ab")
