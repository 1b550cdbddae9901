"""The Faust app without Kafka: it stops when told, crashes aloud, and never waits without bound."""

import asyncio
from collections.abc import AsyncIterator

import faust
import pytest
from mode import Service

from broker.errors import UnavailableError
from broker.streams import serve, silent_app


class Source(Service):
    """Sends numbers into a channel, then does what the test asks."""

    def __init__(
        self,
        channel: faust.Channel,
        count: int,
        *,
        crash: Exception | None = None,
        hang: bool = False,
    ) -> None:
        super().__init__()
        self.channel, self.count, self.crash_with, self.hang = channel, count, crash, hang

    @Service.task
    async def _main(self) -> None:
        for number in range(self.count):
            await self.channel.send(value=number)
        if self.crash_with:
            raise self.crash_with

    async def on_stop(self) -> None:
        if self.hang:
            await asyncio.Event().wait()


def test_agents_receive_what_services_send_until_told_to_stop() -> None:
    """An app serves until stop is set; an agent that raises loses its event alone."""
    app = silent_app("weir-test-serves")
    channel = app.channel(maxsize=1)
    stop = asyncio.Event()
    seen = []

    async def collect(stream: AsyncIterator[int]) -> None:
        async for number in stream:
            if number == 2:
                raise ValueError(number)
            seen.append(number)
            if number == 4:
                stop.set()

    app.agent(channel, name="collect")(collect)
    asyncio.run(serve(app, [Source(channel, 5)], stop, stop_timeout_s=5))
    assert seen == [0, 1, 3, 4]


def test_a_crashed_service_ends_the_app_with_its_error() -> None:
    """What a service crashes with is what serve raises."""
    app = silent_app("weir-test-crashes")
    channel = app.channel(maxsize=1)
    crash = ConnectionError("broken")
    with pytest.raises(ConnectionError, match="broken"):
        asyncio.run(
            serve(app, [Source(channel, 0, crash=crash)], asyncio.Event(), stop_timeout_s=5)
        )


def test_a_stop_that_hangs_is_given_up() -> None:
    """A service that never stops costs its deadline and is named by the app's error."""
    app = silent_app("weir-test-hangs")
    channel = app.channel(maxsize=1)

    async def stopped_at_once() -> None:
        stop = asyncio.Event()
        stop.set()
        await serve(app, [Source(channel, 0, hang=True)], stop, stop_timeout_s=0.1)

    with pytest.raises(UnavailableError, match="weir-test-hangs: did not stop"):
        asyncio.run(stopped_at_once())
