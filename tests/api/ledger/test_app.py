"""The ledger's process: applies until it is stopped, waits for a database, ends without one."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from broker.errors import UnavailableError
from broker.ledger.app import ledger_app
from broker.ledger.reading import Batch
from broker.streams import serve
from tests.api.ledger.world import Ledger, chain, write


def test_a_database_that_comes_back_is_waited_for(ledger: Ledger) -> None:
    """While the database refuses, the batch is tried again; then it is applied once."""
    write(ledger.log, chain(3))
    refusals: Iterator[bool] = iter([])

    @event.listens_for(ledger.database, "begin")
    def refuse(connection: object) -> None:
        if next(refusals, False):
            raise OperationalError("BEGIN", {}, ConnectionError("down"))

    batches: list[Batch] = []
    while not batches:
        batches = ledger.reader.poll()
    refusals = iter([True, True, False])
    for batch in batches:
        ledger.apply(batch)
    event.remove(ledger.database, "begin", refuse)
    assert len(ledger.rows("segments")) == 3


def test_the_app_applies_until_it_is_stopped(ledger: Ledger) -> None:
    """The Faust app reads from the log into the database and stops when told."""

    async def scenario() -> None:
        app, source = ledger_app(ledger.log, ledger.database, instance="app")
        stop = asyncio.Event()
        running = asyncio.create_task(serve(app, [source], stop, stop_timeout_s=10))
        write(ledger.log, chain(5))
        for _ in range(200):
            if len(ledger.rows("segments")) == 5 or running.done():
                break
            await asyncio.sleep(0.05)
        assert source.not_ready() is None
        stop.set()
        await running

    asyncio.run(scenario())
    assert ledger.usage()["sub-1"] == (40, 4000)


def test_the_app_ends_when_the_database_stays_away(ledger: Ledger) -> None:
    """A database that never answers ends the process with a named error, not with lost segments."""
    write(ledger.log, chain(3))

    async def scenario() -> None:
        app, source = ledger_app(ledger.log, ledger.database, instance="app", backoff_s=0.01)
        await serve(app, [source], asyncio.Event(), stop_timeout_s=10)

    @event.listens_for(ledger.database, "begin")
    def refuse(connection: object) -> None:
        raise OperationalError("BEGIN", {}, ConnectionError("down"))

    try:
        with pytest.raises(UnavailableError, match=r"weir\.usage cannot be read"):
            asyncio.run(asyncio.wait_for(scenario(), 120))
    finally:
        event.remove(ledger.database, "begin", refuse)
    assert ledger.rows("segments") == []
