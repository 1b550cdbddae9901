"""The router as a Faust app: three agents over bounded channels, and the lane that feeds them.

    Feed (poll) ─▶ enforce ─▶ route ─▶ meter ─▶ commit ─▶ Feed …

One event is one batch set is one transaction. The agents await their steps in the lane's one
thread, beside the event loop. One batch set is in flight at a time: more threads or transactions
in turn lost to the interpreter lock when measured.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import faust
import structlog
from mode import Service

from broker.alarms import Alarm, clear_alarm, raise_alarm
from broker.errors import LogTimeoutError, OperatingError, WeirError
from broker.flow.batch import BatchSet, Enforced, Routed
from broker.flow.lane import Lane
from broker.flow.settings import LaneSettings
from broker.streams import silent_app

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
_REBUILD_PAUSE_S = 1.0
_IDLE_PAUSE_S = 0.05
_BACK_OFF_MAX_S = 5.0
# A transaction is given up by the broker after 15 s; each step of it has a deadline below that.
_SET_MAX_S = 60.0
_TURN_MAX_S = 120.0


class Feed(Service):  # type: ignore[misc]  # mode is untyped to us
    """Polls, sends, and waits until the batch set is committed or has failed."""

    def __init__(self, lane: Lane, settings: LaneSettings, thread: ThreadPoolExecutor) -> None:
        super().__init__()
        self._lane = lane
        self._settings = settings
        self._thread = thread
        self._done = asyncio.Event()
        self._failures = 0
        self._turned_s = time.monotonic()
        self.channel: Any = None

    async def step(self, function: Callable[..., _T], *args: Any) -> _T:
        """Run one step in the lane's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)

    async def attempt(self, function: Callable[..., _T], *args: Any) -> _T | None:
        """Run one step; a failure is the lane's to answer, and ends the batch set (None)."""
        try:
            result = await self.step(function, *args)
        except WeirError as error:
            await self._failed(error)
        except Exception as error:  # noqa: BLE001  else a bug ends in an event nobody waits for
            _log.exception("step failed unexpectedly")
            raise_alarm(Alarm.STEP_FAILED, function.__name__, repr(error))
            await self._failed(OperatingError(f"{function.__name__}: {error!r}"))
        else:
            clear_alarm(Alarm.STEP_FAILED, function.__name__)
            return result
        return None

    def done(self) -> None:
        """The batch set has been committed."""
        self._failures = 0
        self._done.set()

    def why_not_live(self) -> str | None:
        """A sentence when it has not turned for too long: a step hangs. Read by another thread."""
        idle_s = time.monotonic() - self._turned_s
        if idle_s <= _TURN_MAX_S:
            return None
        return f"the lane has not turned for {idle_s:.0f} s"

    @Service.task  # type: ignore[untyped-decorator]  # mode is untyped to us
    async def _run(self) -> None:
        await self._until_rebuilt()
        loop = asyncio.get_running_loop()
        observe_s = loop.time()
        while not self.should_stop:
            self._turned_s = time.monotonic()
            batches = await self.attempt(self._lane.poll)
            if batches is not None:
                self._done.clear()
                await self.channel.send(value=batches)
                await self._until_done()
            elif not self._lane.ready or not self._lane.owned:
                await self.sleep(_IDLE_PAUSE_S)
            if loop.time() - observe_s >= self._settings.lag_interval_s:
                observe_s = loop.time()
                await self.attempt(self._lane.observe)

    async def on_stop(self) -> None:
        """Leave the group in order."""
        await self.step(self._lane.close)

    async def _until_done(self) -> None:
        try:
            await asyncio.wait_for(self._done.wait(), _SET_MAX_S)
        except TimeoutError:
            await self._failed(LogTimeoutError(f"batch set: not done within {_SET_MAX_S} s"))

    async def _failed(self, error: WeirError) -> None:
        self._failures += 1
        if self._failures > 1:
            # What fails at once would fail for ever at full speed.
            await self.sleep(min(_BACK_OFF_MAX_S, _IDLE_PAUSE_S * 2 ** min(self._failures, 10)))
        try:
            await self.step(self._lane.fail, error)
        except WeirError as failed:
            _log.warning("clients could not be rebuilt yet", error=str(failed))
            await self._until_rebuilt()
        self._done.set()

    async def _until_rebuilt(self) -> None:
        # For as long as the process lives: Kafka's absence is no reason to give up the lane, and
        # /readyz says so meanwhile.
        while not self.should_stop:
            self._turned_s = time.monotonic()
            try:
                await self.step(self._lane.rebuild)
            except WeirError as error:
                _log.warning("waiting for Kafka", error=str(error))
                await self.sleep(_REBUILD_PAUSE_S)
            else:
                return


def router_app(lane: Lane, settings: LaneSettings) -> tuple[faust.App, Feed]:
    """The app and the service to run in it (`broker.streams.run`)."""
    app = silent_app("weir-router")
    feed = Feed(lane, settings, ThreadPoolExecutor(1, thread_name_prefix="lane"))
    enforced_channel = app.channel(maxsize=1)
    routed_channel = app.channel(maxsize=1)
    feed.channel = app.channel(maxsize=1)

    @app.agent(feed.channel)  # type: ignore[untyped-decorator]  # faust is untyped to us
    async def enforce(stream: AsyncIterator[BatchSet]) -> None:
        async for batches in stream:
            enforced = await feed.attempt(lane.enforce, batches)
            if enforced is not None:
                await enforced_channel.send(value=(batches, enforced))

    @app.agent(enforced_channel)  # type: ignore[untyped-decorator]  # faust is untyped to us
    async def route(stream: AsyncIterator[tuple[BatchSet, tuple[Enforced, ...]]]) -> None:
        async for batches, enforced in stream:
            routed = await feed.attempt(lane.route, batches, enforced)
            if routed is not None:
                await routed_channel.send(value=(batches, routed))

    @app.agent(routed_channel)  # type: ignore[untyped-decorator]  # faust is untyped to us
    async def meter(stream: AsyncIterator[tuple[BatchSet, tuple[Routed, ...]]]) -> None:
        async for batches, routed in stream:
            if await feed.attempt(_meter_and_commit, lane, batches, routed):
                feed.done()

    return app, feed


def _meter_and_commit(lane: Lane, batches: BatchSet, routed: tuple[Routed, ...]) -> bool:
    lane.commit(batches, lane.meter(batches, routed))
    return True
