"""`weir demo`: the whole story."""

import os

import click
from rich.console import Console

from broker.config import home_from
from broker.local.demo.telemetry import RECORDS

_PLAIN_WIDTH = 120


@click.command()
@click.option("--home", metavar="DIR", help="DIR/demo holds it. [WEIR_HOME, default .weir]")
@click.option("--keep", is_flag=True, help="Leave the exchange up, and print what to try next.")
@click.option(
    "--records",
    type=click.IntRange(10_000, RECORDS),
    default=RECORDS,
    show_default=True,
    help="How many readings to publish; fewer for a quick look.",
)
def demo(home: str | None, *, keep: bool, records: int) -> None:
    """Tell the whole story on real telemetry.

    Start to verified invoice. Exits 0 if entitled, delivered, received and billed agree for every
    subscription; 1 if not.
    """
    from broker.local.demo.epilogue import epilogue
    from broker.local.demo.story import tell

    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    directory = home_from(os.environ, home) / "demo"
    told = tell(directory, keep=keep, console=console, records=records)
    click.echo(f"\nreport: {directory / 'report.json'}")
    if keep:
        click.echo(epilogue(told.market, directory))
    else:
        click.echo("to look around afterwards: weir demo --keep")
    raise SystemExit(0 if told.agrees else 1)
