"""`weir verify`: what was billed is what was delivered is what was entitled, counted again."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console

from broker.config import CONNECTIONS_FILE, connections, home_from
from broker.errors import OperatingError
from broker.local.background import running_supervisor
from broker.verify.recount import recount


@click.command()
@click.option("--home", metavar="DIR", help="The exchange's home (WEIR_HOME, default .weir).")
@click.option("--product", metavar="ORG/PRODUCT", help="Recount this product alone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(home: str | None, product: str | None, *, as_json: bool) -> None:
    """Recount what was entitled, delivered, metered and billed.

    From Kafka and PostgreSQL.

    Exits 0 if all agree; 1 if not, naming subscription, partition and offset range; 2 if asked
    wrongly. Where retention has taken the source away it says `chain only` for that range.
    """
    at = home_from(os.environ, home)
    where = connections(at)
    try:
        with _progress() as progress:
            report = recount(where, product=product, progress=progress)
    except OperatingError as error:
        if (at / CONNECTIONS_FILE).exists() and running_supervisor(at) is None:
            what = f"nothing runs in {at} ({error}); `weir up --home {at}` starts it"
            raise OperatingError(what) from error
        raise
    click.echo(report.to_json() if as_json else report.to_table())
    raise SystemExit(0 if report.agrees else 1)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A live line on a terminal, a plain one a step elsewhere; on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda said: click.echo(said, err=True)
        return
    with console.status("connecting") as status:
        yield status.update
