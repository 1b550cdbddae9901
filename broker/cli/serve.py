"""`weir serve`: the control API and the schema registry as a process."""

import os

import click


@click.command()
@click.option("--home", metavar="DIR", help="Home of the exchange; default $WEIR_HOME or .weir.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
def serve(home: str | None, host: str, port: int) -> None:
    """Serve the API and the registry, and provision Kafka.

    That is /v1, /registry, /metrics and health; control events are published.

    Several may run: one of them relays and provisions, all answer. Exits 0 when told to stop; 1 if
    the address is taken or a background task keeps failing.
    """
    from broker.api.serve import serve as run
    from broker.config import connections, home_from

    run(connections(home_from(os.environ, home)), host=host, port=port)
