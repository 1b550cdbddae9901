"""`weir bench`: the router measured beside its peers."""

import json
from typing import Any

import click

from broker.cli.home import home_of

LEAST = {
    "router_vs_bare_eos_fanout1": 0.6,
    "router_vs_bare_eos_fanout4": 0.6,
    "router_vs_plain_faust": 40.0,
}


@click.command()
@click.option("--home", metavar="DIR", help="Where bench.json is written.")
@click.option(
    "--records",
    type=click.IntRange(1),
    default=600_000,
    show_default=True,
    help="A round of each contender.",
)
@click.option(
    "--faust-records",
    type=click.IntRange(1),
    default=20_000,
    show_default=True,
    help="Of plain Faust.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Counted rounds; medians are shown.",
)
@click.option("--check", is_flag=True, help="Exit 1 below 0.6, 0.6 and 40 times the peers.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench(
    home: str | None, records: int, faust_records: int, rounds: int, *, check: bool, as_json: bool
) -> None:
    """Measure the router beside bare loops and plain Faust.

    On a broker of its own.

    Exits 0 when every contender's output was whole; 1 if one lost or repeated a record, or if
    --check fails.
    """
    from broker.bench.run import run

    place = home_of(home, writes=True)
    result = run(
        records=records,
        faust_records=faust_records,
        rounds=rounds,
        tell=lambda line: click.echo(line, err=True),
    )
    (place / "bench.json").write_text(json.dumps(result, indent=2) + "\n")
    if as_json:
        click.echo(json.dumps(result))
    else:
        _print(result, rounds)
    if check and any(result["ratios"][name] < least for name, least in LEAST.items()):
        raise SystemExit(1)


def _print(result: dict[str, Any], rounds: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("contender", "records/s", "CPU µs a record", title=f"median of {rounds}")
    for name, figures in result["medians"].items():
        table.add_row(name, f"{figures['rate']:,.0f}", f"{figures['cpu_us']:.2f}")
    Console().print(table)
    for name, ratio in result["ratios"].items():
        least, greatest = result["spread"][name]
        click.echo(f"{name}: {ratio} (by round {least} to {greatest})")
