"""A Faust app that opens no Kafka client of its own, and its life as a process.

    run ──▶ app (agents over channels) ──▶ services (a source that polls, in its own thread)

Faust does the stream processing; confluent-kafka, behind `broker.log`, does the input and output.
Shared by `weir router` and `weir ledger`. What an agent must know: one that raises drops its event
and is given the next, so a step catches its own errors and decides what follows.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Sequence

import faust
import structlog
from faust.app.base import BootStrategy
from mode import Service

from broker.errors import UnavailableError

_log = structlog.get_logger(__name__)
# What is left, once the event loop has given up, for threads to come home before the process ends.
_EXIT_GRACE_S = 2.0


class _NoKafka(BootStrategy):  # type: ignore[misc]  # faust is untyped to us
    """Starts agents and nothing that connects or listens."""

    enable_kafka = False
    enable_kafka_consumer = False
    enable_kafka_producer = False
    enable_web = False


class _SilentApp(faust.App):  # type: ignore[misc]  # faust is untyped to us
    """Keeps no directory either: what must last is in Kafka and PostgreSQL."""

    BootStrategy = _NoKafka

    async def on_first_start(self) -> None:
        """Create no data directory."""


def silent_app(name: str) -> faust.App:
    """An app whose agents read channels (`app.channel(maxsize=…)`) alone.

    Declare agents on it, then hand it to `run`.
    """
    return _SilentApp(name, broker="kafka://not-used", autodiscover=False, topic_partitions=1)


def run(app: faust.App, services: Sequence[Service], *, stop_timeout_s: float) -> None:
    """Run as a process, until SIGTERM or SIGINT, or until something crashes.

    Starts the agents, then the services in order. On the way out services stop in reverse order,
    then the agents, all within `stop_timeout_s`; a thread that hangs in a client beyond that ends
    with the process (exit 1). Call it in the main thread.

    Raises:
        UnavailableError: it did not stop in time.
        Exception: what an agent's supervisor or a service crashed with.
    """
    asyncio.run(_until_signalled(app, services, stop_timeout_s=stop_timeout_s))


async def serve(
    app: faust.App, services: Sequence[Service], stop: asyncio.Event, *, stop_timeout_s: float
) -> None:
    """`run` inside an event loop of the caller's: until `stop` is set or something crashes.

    Raises:
        UnavailableError: it did not stop within `stop_timeout_s`.
        Exception: what it crashed with.
    """
    app.flow_control.resume()
    try:
        await app.start()
        for service in services:
            await app.add_runtime_dependency(service)
        await _stopped_or_crashed(app, stop)
    finally:
        await _stop(app, stop_timeout_s=stop_timeout_s)
    if app.crash_reason is not None:
        raise app.crash_reason


async def _until_signalled(
    app: faust.App, services: Sequence[Service], *, stop_timeout_s: float
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def signalled() -> None:
        _log.info("stopping", app=app.conf.id, within_s=stop_timeout_s)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    try:
        await serve(app, services, stop, stop_timeout_s=stop_timeout_s)
    finally:
        # asyncio.run joins the executors' threads without a bound.
        _exit_after(_EXIT_GRACE_S)


async def _stopped_or_crashed(app: faust.App, stop: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (stop, app._crashed)]  # noqa: SLF001  mode offers no public wait
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _stop(app: faust.App, *, stop_timeout_s: float) -> None:
    # App.stop waits without bound, and swallows a cancellation: look at the task, do not await it.
    stopping = asyncio.ensure_future(app.stop())
    done, _ = await asyncio.wait([stopping], timeout=stop_timeout_s)
    if not done:
        stopping.cancel()
        raise UnavailableError(f"{app.conf.id}: did not stop within {stop_timeout_s} s")
    stopping.result()


def _exit_after(grace_s: float, leave: Callable[[int], object] = os._exit) -> None:
    def end() -> None:
        _log.error("a thread did not end; leaving it behind", grace_s=grace_s)
        leave(1)

    timer = threading.Timer(grace_s, end)
    timer.daemon = True
    timer.start()
