"""The ledger as a Faust app: one source, one channel, one agent.

weir.usage ──▶ UsageSource ──Batch──▶ channel ──▶ apply ──▶ PostgreSQL
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import faust
from sqlalchemy import Engine

from broker.ledger.apply import Apply
from broker.ledger.reader import UsageReader
from broker.ledger.reading import Batch
from broker.ledger.sink import Sink
from broker.ledger.source import UsageSource
from broker.log.ports import Log
from broker.streams import silent_app

# Batches of 500 segments at most: what waits here stays small while PostgreSQL is slow.
_CHANNEL_BATCHES_MAX = 4


def ledger_app(
    log: Log, engine: Engine, *, instance: str, backoff_s: float = 1.0
) -> tuple[faust.App, UsageSource]:
    """The app and its source, for `broker.streams.run` or `serve`.

    Args:
        log: where `weir.usage` is.
        engine: the exchange's database.
        instance: names this process in the group `weir-ledger`.
        backoff_s: how much longer to wait after each failure in a row.
    """
    app = silent_app("weir-ledger")
    channel = app.channel(maxsize=_CHANNEL_BATCHES_MAX)
    sink = Sink(engine)
    reader = UsageReader(log, sink, instance=instance)
    stopping = threading.Event()
    source = UsageSource(reader, channel, stopping, backoff_s=backoff_s)
    apply = Apply(reader, sink, pause=stopping.wait)
    thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-apply")

    async def agent(batches: AsyncIterator[Batch]) -> None:
        async for batch in batches:
            try:
                await asyncio.get_running_loop().run_in_executor(thread, apply, batch)
            except Exception as error:  # noqa: BLE001  Faust would drop the batch and go on
                await source.crash(error)
                return

    app.agent(channel, name="apply")(agent)
    return app, source
