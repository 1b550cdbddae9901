"""Start processes stage by stage, as each is ready; bring back what dies; stop in order.

    waiting ──▶ starting ──▶ ready ──dies──▶ restarting ──▶ starting …    too often: failed
                                                            all ──▶ stopped

One thread decides; the units of a stage are launched, and stopped, at the same time. Libraries for
this (circus, supervisor) take a process that runs for one that is ready; see docs/dependencies.md.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from broker.errors import SetupError, WeirError
from broker.local.state import Condition, ProcessState, State, write_state
from broker.local.unit import Unit, wants_restart

_POLL_S = 0.1
# A first start under load: Kafka 15 s, a process of ours 10 s on two busy cores.
_READY_TIMEOUT_S = 120.0
_DEATHS_AT_START_MAX = 3
# One second, two, four … ten: after eight deaths in a row about a minute has gone by.
_BACKOFF_FIRST_S, _BACKOFF_MAX_S = 1.0, 10.0
_DEATHS_MAX = 8
# So long it must have run for its earlier deaths to be forgotten.
_STEADY_S = 60.0
# Our processes give themselves 15 s to end what they have begun.
_STOP_TIMEOUT_S = 20.0
# /livez must ask three times in a row, so that one bad moment restarts nothing.
_ASK_EVERY_S = 5.0
_UNWELL_MAX = 3

Result = TypeVar("Result")


class StopRequested(BaseException):
    """Somebody asked for the end. Raised between two steps, never in the middle of one."""


@dataclass
class _Watched:
    name: str
    unit: Unit
    condition: Condition = "waiting"
    restarts: int = 0
    deaths: int = 0
    reason: str = ""
    unwell: int = 0
    launched_at_s: float = 0.0
    asked_at_s: float = 0.0
    again_at_s: float = 0.0

    def state(self) -> ProcessState:
        pid = self.unit.pid if self.unit.alive else None
        return ProcessState(
            name=self.name,
            condition=self.condition,
            pid=pid,
            address=self.unit.address,
            restarts=self.restarts,
            reason=self.reason,
        )


class Supervisor:
    """Watches units until it is told to stop.

    Args:
        stages: name and unit; those of one stage start together, when all before are ready, and
            stop together, when all after have ended.
        home: its state is written to `home/run/state.json`.
        on_ready: called with a unit's name when it is ready, before anybody else learns of it.
        report: told the state as it changes, after it is written.
        clock: seconds that never run backwards.
        pause: waits so many seconds.
    """

    def __init__(
        self,
        stages: list[list[tuple[str, Unit]]],
        *,
        home: Path,
        on_ready: Callable[[str], None],
        report: Callable[[State], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stages = [[_Watched(name, unit) for name, unit in stage] for stage in stages]
        self._watched = [watched for stage in self._stages for watched in stage]
        self._home = home
        self._on_ready = on_ready
        self._report = report
        self._clock = clock
        self._pause = pause
        self._written: State | None = None
        self._stop_requested = False

    def request_stop(self) -> None:
        """Have `start` or `watch` raise `StopRequested` soon. For signal handlers.

        Only a note is taken here: an exception out of a handler could strike between the start of
        a process and its being recorded, and that process would be left behind.
        """
        self._stop_requested = True

    def checkpoint(self) -> None:
        """Call this where it is safe to stop.

        Raises:
            StopRequested: somebody asked for the end.
        """
        if self._stop_requested:
            raise StopRequested

    def start(self) -> None:
        """Start everything, stage by stage. Blocks.

        Raises:
            SetupError: a unit did not get ready; says which and why. Call `stop` then.
        """
        for stage in self._stages:
            self.checkpoint()
            self._launch(*stage)
            self._await(stage)

    def watch(self) -> None:
        """Bring back what dies, until `request_stop`: then raises `StopRequested`."""
        while True:
            for watched in self._watched:
                self._look_after(watched)
            self._write()
            self.checkpoint()
            self._pause(_POLL_S)

    def stop(self) -> None:
        """Stop everything, the last stage first, each unit bounded."""
        for stage in reversed(self._stages):
            _together(stage, lambda watched: watched.unit.stop(timeout_s=_STOP_TIMEOUT_S))
            for watched in stage:
                watched.condition = "stopped"
            self._write()

    def progress(self, name: str, what: str) -> None:
        """Say in the state what must be done before a unit can be launched; empty when done."""
        for watched in self._watched:
            if watched.name == name:
                watched.reason = what
        self._write()

    def fail(self, error: str) -> None:
        """Say in the state why the supervisor gave up."""
        self._write(error)

    def _await(self, stage: list[_Watched]) -> None:
        deadline = self._clock() + _READY_TIMEOUT_S
        while left := [watched for watched in stage if watched.condition != "ready"]:
            for watched in stage:
                self._look_after(watched)
            self._write()
            for watched in left:
                if watched.deaths >= _DEATHS_AT_START_MAX or self._clock() > deadline:
                    reason = watched.reason or watched.unit.why()
                    raise SetupError(f"{watched.name}: did not get ready: {reason}")
            self.checkpoint()
            self._pause(_POLL_S)

    def _look_after(self, watched: _Watched) -> None:
        now = self._clock()
        if watched.condition in ("starting", "ready") and not watched.unit.alive:
            self._died(watched, watched.unit.why(), now)
        elif watched.condition == "starting" and watched.unit.ready():
            self._on_ready(watched.name)
            watched.condition = "ready"
            watched.reason = ""
        elif watched.condition == "ready":
            self._look_closer(watched, now)
        elif watched.condition == "restarting" and now >= watched.again_at_s:
            watched.restarts += 1
            self._launch(watched)

    def _look_closer(self, watched: _Watched, now: float) -> None:
        if now - watched.launched_at_s > _STEADY_S:
            watched.deaths = 0
        if now < watched.asked_at_s + _ASK_EVERY_S:
            return
        watched.asked_at_s = now
        why = wants_restart(watched.unit)
        watched.unwell = watched.unwell + 1 if why else 0
        if watched.unwell >= _UNWELL_MAX:
            watched.unit.stop(timeout_s=_STOP_TIMEOUT_S)
            self._died(watched, f"/livez asked for a restart: {why}", now)

    def _launch(self, *launched: _Watched) -> None:
        for watched in launched:
            watched.launched_at_s = self._clock()
            watched.condition = "starting"
            watched.unwell = 0
        self._write()
        for watched, error in zip(launched, _together(launched, _launched), strict=True):
            if error is not None:
                self._died(watched, str(error), self._clock())

    def _died(self, watched: _Watched, reason: str, now: float) -> None:
        watched.deaths += 1
        watched.reason = reason
        backoff = min(_BACKOFF_FIRST_S * 2 ** (watched.deaths - 1), _BACKOFF_MAX_S)
        watched.again_at_s = now + backoff
        watched.condition = "failed" if watched.deaths >= _DEATHS_MAX else "restarting"

    def _write(self, error: str = "") -> None:
        state = State(processes=tuple(one.state() for one in self._watched), error=error)
        if state != self._written:
            write_state(self._home, state)
            self._written = state
            if self._report:
                self._report(state)


def _together(stage: Sequence[_Watched], act: Callable[[_Watched], Result]) -> list[Result]:
    """Do it to all at the same time; what came of each, or the first exception once all ended."""
    with ThreadPoolExecutor(max(1, len(stage))) as pool:
        return [future.result() for future in [pool.submit(act, watched) for watched in stage]]


def _launched(watched: _Watched) -> WeirError | None:
    try:
        watched.unit.launch()
    except WeirError as error:
        return error
    return None
