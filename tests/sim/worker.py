"""A router of the simulated world: a real lane, a clock that is told, and no threads."""

from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from datetime import UTC, datetime
from typing import Any

from broker.errors import WeirError
from broker.flow.lane import Lane
from broker.flow.settings import LaneSettings
from broker.log.memory import MemoryLog

SETTINGS = LaneSettings(
    records_max=5, output_max_bytes=400, hold_s=3.0, stall_max_s=1e9, recover_timeout_s=0.0
)


class SimClock:
    """Moves only when told."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.ms / 1000, UTC)

    def monotonic(self) -> float:
        return self.ms / 1000


class Inline(Executor):
    """Runs at once, in the caller's thread: no ordering that the seed did not draw."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except WeirError as error:
            future.set_exception(error)
        return future


class Worker:
    """A router process: a lane, and where it stands between two steps."""

    def __init__(self, log: MemoryLog, clock: SimClock, name: str, lane_class: type[Lane]) -> None:
        self.name = name
        self._log = log
        self._clock = clock
        self._lane_class = lane_class
        self.born()

    def born(self) -> None:
        """A new process with the same instance name."""
        self.lane = self._lane_class(
            self._log,
            instance=self.name,
            settings=SETTINGS,
            clock=self._clock,
            executor=Inline(),
        )
        self._steps = self._live()

    def step(self) -> str:
        """One call of the lane; its name."""
        return next(self._steps)

    def _live(self) -> Generator[str, None, None]:
        while True:
            try:
                self.lane.rebuild()
            except WeirError:
                yield "rebuild failed"
                continue
            yield "rebuilt"
            try:
                yield from self._route()
            except WeirError as failed:
                yield f"gave up: {type(failed).__name__}"

    def _route(self) -> Generator[str, None, None]:
        while True:
            try:
                batches = self.lane.poll()
                yield "polled"
                if batches is None:
                    continue
                enforced = self.lane.enforce(batches)
                yield "enforced"
                routed = self.lane.route(batches, enforced)
                yield "routed"
                metered = self.lane.meter(batches, routed)
                yield "metered"
                self.lane.commit(batches, metered)
                yield "committed"
            except WeirError as error:
                self.lane.fail(error)
                yield f"failed: {type(error).__name__}"
