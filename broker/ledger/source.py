"""Source: the reader's life beside the event loop, and its batches into the agent's channel.

UsageReader (own thread) ──Batch──▶ bounded channel ──▶ agent
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TypeVar

import faust
import structlog
from mode import Service
from sqlalchemy.exc import SQLAlchemyError

from broker.errors import LogError, UnavailableError
from broker.ledger.reader import UsageReader
from broker.ledger.reading import Batch

_LAG_EVERY_S = 5.0
# Ten failures in a row, each wait longer by the back-off, outlast a broker's restart. Then the
# process ends, and its supervisor decides.
_FAILURES_MAX = 10
# A poll takes 0.2 s; a batch may wait for the database for a minute.
_STALLED_S = 120.0

T = TypeVar("T")
_log = structlog.get_logger(__name__)


class UsageSource(Service):  # type: ignore[misc]  # mode is untyped to us
    """Polls and hands over, in order. A full channel holds the polling up.

    Sets `stopping` when it is told to stop, for those who wait in threads.
    """

    def __init__(
        self,
        reader: UsageReader,
        channel: faust.Channel,
        stopping: threading.Event,
        *,
        backoff_s: float,
    ) -> None:
        super().__init__()
        self._reader = reader
        self._channel = channel
        self._stopping = stopping
        self._backoff_s = backoff_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="usage-source")
        self._polled_at_s: float | None = None

    def not_ready(self) -> str | None:
        """Why it is not reading; None if it is."""
        if self._polled_at_s is None:
            return "weir.usage has not been polled yet"
        return self.stalled()

    def stalled(self) -> str | None:
        """Why the process had better be restarted; None if all is well."""
        if self._polled_at_s is None or monotonic() - self._polled_at_s < _STALLED_S:
            return None
        return f"weir.usage has not been polled for {_STALLED_S:.0f} s"

    async def on_stop(self) -> None:
        """Leave the group, after the poll that is under way."""
        self._stopping.set()
        await self._call(self._reader.reset)
        self._thread.shutdown(wait=False)

    @Service.task  # type: ignore[untyped-decorator]  # mode is untyped to us
    async def _poll(self) -> None:
        failures = 0
        lag_at_s = 0.0
        while not self.should_stop:
            try:
                batches: list[Batch] = await self._call(self._reader.poll)
                if monotonic() - lag_at_s >= _LAG_EVERY_S:
                    await self._call(self._reader.measure_lag)
                    lag_at_s = monotonic()
            except (LogError, SQLAlchemyError) as error:
                failures += 1
                await self._recover(error, failures)
                continue
            failures = 0
            self._polled_at_s = monotonic()
            for batch in batches:
                await self._channel.send(value=batch)

    async def _recover(self, error: Exception, failures: int) -> None:
        if failures >= _FAILURES_MAX:
            raise UnavailableError(f"weir.usage cannot be read: {error}") from error
        wait_s = failures * self._backoff_s
        _log.warning("reading failed; joining anew", again_in_s=wait_s, error=str(error))
        await self._call(self._reader.reset)
        await self.sleep(wait_s)

    async def _call(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)
