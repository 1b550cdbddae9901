"""The supervisor with small stand-in programs: order, what dies comes back, nothing stays."""

import itertools
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from broker.errors import SetupError
from broker.local.child import is_running, recorded, wait_until
from broker.local.ports import free_ports, is_free
from broker.local.state import read_state
from broker.local.supervisor import StopRequested, Supervisor
from broker.local.unit import HttpProcess

READY = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
UNWELL = READY.replace("200", "503 if self.path == '/livez' else 200")
PARENT = """
import json, pathlib, sys, time
from broker.local.unit import HttpProcess
asked = json.loads(sys.argv[1])
directory = pathlib.Path(asked["directory"])
HttpProcess(asked["arguments"], port=asked["port"], directory=directory).launch()
time.sleep(600)
"""
DIES = "import sys; sys.exit('there is no such topic')"


def stand_in(home: Path, name: str, program: str = READY) -> HttpProcess:
    (port,) = free_ports(1)
    return HttpProcess(["-c", program, str(port)], port=port, directory=home / "processes" / name)


@contextmanager
def watching(supervisor: Supervisor) -> Iterator[None]:
    def watch() -> None:
        with suppress(StopRequested):
            supervisor.watch()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        supervisor.request_stop()
        thread.join(30)
        supervisor.stop()


def test_starts_in_order_and_leaves_nothing(tmp_path: Path) -> None:
    """A stage is launched when the one before is ready; `stop` leaves no process, no record."""
    units = [(name, stand_in(tmp_path, name)) for name in ("first", "second", "third")]
    alive_when_ready: dict[str, list[str]] = {}

    def note(name: str) -> None:
        alive_when_ready[name] = [other for other, unit in units if unit.alive]

    supervisor = Supervisor([list(units[:1]), list(units[1:])], home=tmp_path, on_ready=note)
    try:
        supervisor.start()
        together = ["first", "second", "third"]
        assert alive_when_ready == {"first": ["first"], "second": together, "third": together}
        pids = [unit.pid for _, unit in units]
        processes = [psutil.Process(pid) for pid in pids]
        state = read_state(tmp_path)
        assert state is not None
        assert state.ready
        assert [one.pid for one in state.processes] == pids
    finally:
        supervisor.stop()
    assert not any(map(is_running, processes))
    assert not list(tmp_path.glob("processes/*/process.json"))


def test_brings_back_what_was_killed(tmp_path: Path) -> None:
    """A child that is killed runs again, on the same port, and the restart is counted."""
    unit = stand_in(tmp_path, "one")
    supervisor = Supervisor([[("one", unit)]], home=tmp_path, on_ready=print)
    supervisor.start()
    first = unit.pid
    with watching(supervisor):
        psutil.Process(first).kill()
        assert wait_until(lambda: unit.pid != first and unit.ready(), timeout_s=30)

        def counted() -> bool:
            state = read_state(tmp_path)
            return state is not None and state.ready and state.processes[0].restarts == 1

        assert wait_until(counted, timeout_s=30)


def test_gives_up_at_start_and_says_why(tmp_path: Path) -> None:
    """What dies again and again at the start ends it, with the last line of its log."""
    units = [("router", stand_in(tmp_path, "router", DIES))]
    supervisor = Supervisor([list(units)], home=tmp_path, on_ready=print)
    with pytest.raises(SetupError, match=r"router: did not get ready.*no such topic"):
        supervisor.start()
    supervisor.stop()


def test_restarts_what_asks_for_it(tmp_path: Path) -> None:
    """A process that is ready but answers /livez with 503 is stopped and started again."""
    unit = stand_in(tmp_path, "one", UNWELL)
    time = itertools.count(step=0.2)
    supervisor = Supervisor(
        [[("one", unit)]], home=tmp_path, on_ready=print, clock=lambda: next(time)
    )
    supervisor.start()
    first = unit.pid
    with watching(supervisor):
        assert wait_until(lambda: unit.pid != first, timeout_s=60)
    state = read_state(tmp_path)
    assert state is not None
    assert state.processes[0].restarts >= 1


def test_reaps_what_a_killed_supervisor_left(tmp_path: Path) -> None:
    """A child outlives a supervisor's kill -9; the next launch ends it and takes its place."""
    (port,) = free_ports(1)
    directory = tmp_path / "processes" / "one"
    arguments = ["-c", READY, str(port)]
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            PARENT,
            json.dumps({"arguments": arguments, "port": port, "directory": str(directory)}),
        ]
    )
    left = _wait_for(lambda: recorded(directory / "process.json"))
    parent.send_signal(signal.SIGKILL)
    parent.wait(30)
    assert is_running(left)
    unit = HttpProcess(arguments, port=port, directory=directory)
    unit.launch()
    try:
        assert not is_running(left)
        assert wait_until(unit.ready, timeout_s=30)
    finally:
        unit.stop()
    assert is_free(port)


def test_free_ports_are_free_and_differ() -> None:
    """Ports are chosen outside the range from which outgoing connections get theirs."""
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(1024 < port < 32768 for port in ports)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports[0]))
        taken.listen()
        assert not is_free(ports[0])


def _wait_for(find: Callable[[], psutil.Process | None]) -> psutil.Process:
    assert wait_until(lambda: find() is not None, timeout_s=30)
    found = find()
    assert found is not None
    return found
