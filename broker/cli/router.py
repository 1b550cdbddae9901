"""`weir router`: the data plane as a process."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from broker.cli.instance import instance_option
from broker.config import home_from, kafka_config


@click.command()
@click.option("--home", type=click.Path(path_type=Path), help="Where `weir up` keeps its state.")
@instance_option("routers")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    help="For /metrics, /readyz.",
)
def router(home: Path | None, instance: str, metrics_port: int) -> None:
    """Route records from product topics to their buyers.

    Until told to stop.

    Exits 0 after SIGTERM or SIGINT; 1 if it had to give up.
    """
    from broker.clock import SystemClock
    from broker.flow.app import router_app
    from broker.flow.lane import Lane
    from broker.flow.settings import LaneSettings
    from broker.health import health_server
    from broker.log.kafka import KafkaLog
    from broker.metrics import ROUTER
    from broker.streams import run

    kafka = kafka_config(home_from(os.environ, str(home) if home else None))
    settings = LaneSettings()
    with ThreadPoolExecutor(1, thread_name_prefix="guard") as guard:
        lane = Lane(
            KafkaLog(kafka),
            instance=instance,
            settings=settings,
            clock=SystemClock(),
            executor=guard,
        )
        app, feed = router_app(lane, settings)

        def why_not_ready() -> str | None:
            return None if lane.ready else "no clients yet, or the policy is too old"

        with health_server(
            metrics_port, live=feed.why_not_live, ready=why_not_ready, measured=ROUTER
        ) as port:
            click.echo(f"router {instance}: metrics on http://127.0.0.1:{port}/metrics", err=True)
            run(app, [feed], stop_timeout_s=15.0)
