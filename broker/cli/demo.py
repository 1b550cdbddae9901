"""`weir demo`: the whole story."""

import json

import click
from rich.console import Console

from broker.cli.home import home_of
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
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def demo(home: str | None, *, keep: bool, records: int, as_json: bool) -> None:
    """Tell the whole story on real telemetry.

    Start to verified invoice. Exits 0 if entitled, delivered, received and billed agree for every
    subscription; 1 if not. With --json the story goes to standard error.
    """
    from broker.local.demo.epilogue import epilogue
    from broker.local.demo.story import tell

    console = Console(stderr=as_json)
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH, stderr=as_json)
    directory = home_of(home, writes=True) / "demo"
    told = tell(directory, keep=keep, console=console, records=records)
    written = directory / "report.json"
    if as_json:
        facts = {"agrees": told.agrees, "report_file": str(written), **told.report}
        click.echo(json.dumps(facts, indent=1))
    else:
        click.echo(f"\nreport: {written}")
    if keep:
        click.echo(epilogue(told.market, directory), err=as_json)
    elif not as_json:
        click.echo("to look around afterwards: weir demo --keep")
    raise SystemExit(0 if told.agrees else 1)
