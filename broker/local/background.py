"""`up` and `down` from outside: start the supervisor in the background and follow it; stop it."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from broker.errors import SetupError
from broker.local.child import gone, recorded
from broker.local.exchange import reap_home, supervisor_record
from broker.local.state import State, read_state, state_file

# Longer than the supervisor's own bounds together, cold cache on a slow line included.
UP_TIMEOUT_S = 900.0
# Kafka, PostgreSQL and the processes one after the other, each at most 20 s and then SIGKILL.
DOWN_TIMEOUT_S = 180.0
_POLL_S = 0.1


def running_supervisor(home: Path) -> psutil.Process | None:
    """The supervisor of this home, if it runs."""
    return recorded(supervisor_record(home))


def bring_up(home: Path, arguments: list[str], *, report: Callable[[State], None]) -> State:
    """Start the supervisor in the background and wait until everything is ready.

    Args:
        home: the exchange's directory.
        arguments: of `weir up`, which the supervisor runs in the foreground.
        report: told the state as it changes.

    Raises:
        SetupError: something did not get ready; nothing is left running then.
    """
    deadline = time.monotonic() + UP_TIMEOUT_S
    if running_supervisor(home) is not None:
        return _follow(home, deadline, report)
    try:
        _spawn(home, arguments)
        return _follow(home, deadline, report)
    except BaseException:
        # Ctrl-C among others: what this call began goes with it.
        take_down(home)
        raise


def take_down(home: Path) -> list[str]:
    """Stop everything of this home; the names of what was running.

    Raises:
        SetupError: a process does not end even by SIGKILL.
    """
    supervisor = running_supervisor(home)
    if supervisor is None:
        return reap_home(home)
    state = read_state(home)
    names = [one.name for one in state.processes if one.pid] if state else []
    with contextlib.suppress(psutil.NoSuchProcess):
        supervisor.terminate()
        for process in gone([supervisor], timeout_s=DOWN_TIMEOUT_S):
            process.kill()
    return [*names, *(name for name in reap_home(home) if name not in names)]


def _spawn(home: Path, arguments: list[str]) -> None:
    state_file(home).unlink(missing_ok=True)
    log = home / "run" / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as opened:
        supervisor = subprocess.Popen(
            [sys.executable, "-P", "-m", "broker", "up", "--foreground", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=opened,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + UP_TIMEOUT_S
    while running_supervisor(home) is None:
        if supervisor.poll() is not None:
            said = log.read_text().strip().splitlines()[-1:] or ["it said nothing"]
            raise SetupError(f"{said[0].removeprefix('weir: ')}")
        if time.monotonic() > deadline:
            supervisor.kill()
            raise SetupError(f"{home}: the supervisor did not begin in {UP_TIMEOUT_S:.0f} s")
        time.sleep(_POLL_S)


def _follow(home: Path, deadline: float, report: Callable[[State], None]) -> State:
    while time.monotonic() < deadline:
        # In this order: the supervisor writes its last state before it ends.
        supervisor = running_supervisor(home)
        state = read_state(home)
        if state is not None:
            report(state)
            if state.ready and supervisor is not None:
                return state
        if supervisor is None:
            log = home / "run" / "supervisor.log"
            raise SetupError(state.error if state and state.error else f"it ended; see {log}")
        time.sleep(_POLL_S)
    raise SetupError(f"{home}: not everything was ready in {UP_TIMEOUT_S:.0f} s; see `weir status`")
