"""A plain Faust topic agent that routes, in a process of its own.

`python -m broker.bench.faust_peer SOURCE RECORDS OUTPUT` prints the same JSON line as `peer`.
"""

import asyncio
import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import faust
from faust.auth import SASLCredentials

from broker.bench.peer import Meter
from broker.config import home_from, kafka_config

_NOTE_RECORDS = 500


def main(arguments: list[str]) -> None:
    """Route once and print the figures."""
    source, records, output = arguments
    config = kafka_config(home_from({}, str(Path.cwd())))
    app = faust.App(
        f"bench-faust-{uuid.uuid4()}",
        broker=f"kafka://{config.bootstrap}",
        broker_credentials=SASLCredentials(
            username=config.username, password=config.password, mechanism="SCRAM-SHA-512"
        ),
        value_serializer="raw",
        key_serializer="raw",
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        datadir=str(Path.cwd() / f"faust-{os.getpid()}"),
    )
    incoming: Any = app.topic(source, internal=True, value_serializer="raw", key_serializer="raw")
    outgoing: Any = app.topic(output, internal=True, value_serializer="raw", key_serializer="raw")
    meter = Meter()
    total = int(records)
    cpu_s = time.process_time()

    @app.agent(incoming)  # type: ignore[untyped-decorator]  # faust is untyped to us
    async def route(stream: Any) -> None:
        pending: list[Any] = []
        async for event in stream.events():
            message = event.message
            pending.append(
                await outgoing.send(
                    key=message.key, value=message.value, partition=message.partition
                )
            )
            if len(pending) == _NOTE_RECORDS:
                await asyncio.gather(*pending)
                meter.note(len(pending))
                pending.clear()
            if meter.records + len(pending) >= total:
                await asyncio.gather(*pending)
                if pending:
                    meter.note(len(pending))
                cpu_us = (time.process_time() - cpu_s) / total * 1e6
                sys.stdout.write(json.dumps({"rate": meter.rate(), "cpu_us": cpu_us}) + "\n")
                sys.stdout.flush()
                os._exit(0)  # Faust's own way out takes seconds and measures nothing

    async def live() -> None:
        await app.start()
        await app.wait_until_stopped()

    app.finalize()
    asyncio.run(live())


if __name__ == "__main__":
    main(sys.argv[1:])
