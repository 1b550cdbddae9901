"""The supervisor's rules on a clock of the test's own and units that are no processes."""

import itertools
from dataclasses import dataclass
from pathlib import Path

from broker.local.state import read_state
from broker.local.supervisor import StopRequested, Supervisor


@dataclass
class DiesAtOnce:
    """A unit that dies whenever it is launched, once it has been ready."""

    launches: int = 0
    alive: bool = False
    pid: int | None = None
    address: str = "nowhere"

    def launch(self) -> None:
        self.launches += 1
        self.alive = self.launches == 1

    def ready(self) -> bool:
        return self.alive

    def stop(self, *, timeout_s: float = 0) -> None:
        self.alive = False

    def why(self) -> str:
        return "it does not like the weather"


def test_gives_up_after_eight_deaths_in_a_row(tmp_path: Path) -> None:
    """Restarts are bounded and further and further apart; then it is failed, with the reason."""
    unit = DiesAtOnce()
    launched_at: list[float] = []
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.5
        if len(launched_at) < unit.launches:
            launched_at.append(now)
        if now > 200:
            supervisor.request_stop()
        return now

    supervisor = Supervisor(
        [[("one", unit)]], home=tmp_path, on_ready=lambda _: None, clock=clock, pause=lambda _: None
    )
    supervisor.start()
    unit.alive = False
    try:
        supervisor.watch()
    except StopRequested:
        supervisor.stop()
    gaps = [later - sooner for sooner, later in itertools.pairwise(launched_at)]
    assert unit.launches == 8
    assert gaps[1:] == sorted(gaps[1:])
    assert max(gaps) < 15
    state = read_state(tmp_path)
    assert state is not None
    assert state.processes[0].reason == "it does not like the weather"
    assert state.processes[0].restarts == 7
