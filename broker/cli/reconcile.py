"""`weir reconcile`: Kafka against the tables, once and on demand."""

import json
import os
from typing import TYPE_CHECKING

import click

from broker.cli.progress import progress
from broker.errors import InvalidFieldError

if TYPE_CHECKING:
    from broker.control.reconcile import Reconciled


@click.command()
@click.option("--home", metavar="DIR", help="Home of the exchange; default $WEIR_HOME or .weir.")
@click.option("--dry-run", is_flag=True, help="Show what differs and change nothing.")
@click.option(
    "--acknowledge",
    metavar="TOPIC",
    help="You know what is lost with this topic's removal: its alarm ends.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def reconcile(home: str | None, *, dry_run: bool, acknowledge: str | None, as_json: bool) -> None:
    """Heal what differs between Kafka and the tables.

    Topics, settings, ACLs and users are compared.

    `weir serve` does this all the time; here it is seen.

    Exits 0 if Kafka is (or was made) as it should be; 1 if something still differs.
    """
    from broker.clock import SystemClock
    from broker.config import connections, home_from
    from broker.control import reconcile as control
    from broker.store.base import engine

    if dry_run and acknowledge is not None:
        raise InvalidFieldError("--acknowledge", "changes something; leave --dry-run away")
    where = connections(home_from(os.environ, home))
    database = engine(where.database_url)
    now = SystemClock().now()
    try:
        if acknowledge is not None:
            control.acknowledge(database, acknowledge, now=now)
        with progress(f"comparing Kafka at {where.kafka.bootstrap} with the tables"):
            found = control.reconcile(database, where.kafka, dry_run=dry_run, now=now)
    finally:
        database.dispose()
    click.echo(_json(found, dry_run=dry_run) if as_json else _words(found))
    raise SystemExit(0 if found.agrees else 1)


def _json(found: "Reconciled", *, dry_run: bool) -> str:
    return json.dumps(
        {
            "dry_run": dry_run,
            "agrees": found.agrees,
            "drift": found.drift.to_json(),
            "left": found.left.to_json(),
        },
        indent=1,
    )


def _words(found: "Reconciled") -> str:
    lines = [f"healed   {one.state:<8} {one.what}: {one.detail}" for one in found.healed]
    lines += [
        f"{'differs ' if one.action else 'yours   '} {one.state:<8} {one.what}: {one.detail}"
        for one in found.left.differences
    ]
    return "\n".join(lines) or "Kafka is as it should be"
