"""`weir ledger`: the process that writes segments into PostgreSQL."""

import os

import click

from broker.cli.instance import instance_option


@click.command()
@click.option("--home", metavar="DIR", help="Home of the exchange; default $WEIR_HOME or .weir.")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Where /metrics, /livez and /readyz answer; 0 takes a free port.",
)
@instance_option("ledgers")
def ledger(home: str | None, metrics_port: int, instance: str) -> None:
    """Apply segments from weir.usage to PostgreSQL, each once.

    Until SIGTERM.

    Several may run: they share the partitions of weir.usage. Exits 0 when told to stop; 1 if Kafka
    or PostgreSQL stay away.
    """
    from broker.config import connections, home_from
    from broker.ledger.run import run_ledger

    run_ledger(
        connections(home_from(os.environ, home)), instance=instance, metrics_port=metrics_port
    )
