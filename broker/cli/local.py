"""`weir up`, `down`, `status`: the exchange on one machine."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click
from rich.box import HEAVY_HEAD
from rich.console import Console
from rich.table import Table

from broker.cli.home import home_of
from broker.cli.progress import progress
from broker.errors import OperatingError
from broker.local.background import bring_up, take_down
from broker.local.exchange import Exchange, Shape
from broker.local.kafka import SERVING, TESTING
from broker.local.own_clusters import check_names
from broker.local.state import State
from broker.local.status import Status
from broker.local.status import status as ask

_PLAIN_WIDTH = 160
_ORPHANED = "`weir up` takes over, `weir down` stops them"

_home = click.option(
    "--home", metavar="DIR", help="Where the exchange lives. [WEIR_HOME, default .weir]"
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command()
@_home
@click.option(
    "--routers", type=click.IntRange(1), default=1, show_default=True, help="Router processes."
)
@click.option("--foreground", is_flag=True, help="Stay; Ctrl-C stops everything.")
@click.option("--without", multiple=True, metavar="NAME", hidden=True)
@click.option("--quick-start", is_flag=True, hidden=True)
@_json
def up(
    home: str | None,
    *,
    routers: int,
    foreground: bool,
    without: tuple[str, ...],
    quick_start: bool,
    as_json: bool,
) -> None:
    """Start the exchange on this machine.

    Returns when everything is ready.

    Kafka and PostgreSQL, unless WEIR_KAFKA_BOOTSTRAP or WEIR_DATABASE_URL name your own; then
    `weir serve`, `weir router` and `weir ledger`, brought back when they die until `weir down`.

    Exits 0 when everything is ready; 1 if something did not get ready (nothing is left then).
    """
    where = home_of(home, writes=True)
    shape = Shape(
        routers=routers,
        without=frozenset(without),
        jvm=TESTING if quick_start else SERVING,
    )
    if foreground:
        with _progress(stays=True) as report:
            Exchange(where, shape=shape).run(report)
        return
    check_names(where, os.environ)
    arguments = ["--home", str(where), "--routers", str(routers)]
    arguments += [part for name in without for part in ("--without", name)]
    arguments += ["--quick-start"] if quick_start else []
    with _progress() as report:
        bring_up(where, arguments, report=report)
    _print(ask(where), as_json=as_json)


@click.command()
@_home
@_json
def down(home: str | None, *, as_json: bool) -> None:
    """Stop the exchange of this home; its data stays.

    Exits 0 when nothing runs any more.
    """
    where = home_of(home)
    with progress(f"stopping what runs in {where}"):
        stopped = take_down(where)
    if as_json:
        click.echo(json.dumps({"home": str(where), "stopped": stopped}))
    else:
        click.echo(f"stopped: {', '.join(stopped)}" if stopped else f"nothing runs in {where}")


@click.command()
@_home
@_json
def status(home: str | None, *, as_json: bool) -> None:
    """Show each process, its address, lags and alarms.

    What a killed supervisor left is shown too.

    Exits 0 if everything is ready and no alarm stands; 1 if not.
    """
    where = home_of(home)
    with progress(f"asking the processes of {where}"):
        found = ask(where)
    _print(found, as_json=as_json)
    raise SystemExit(0 if found.well else OperatingError.exit_code)


def _print(found: Status, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_facts(found)))
        return
    if found.supervisor_pid is None and not found.orphaned:
        click.echo(f"{found.home}: down; `weir up` starts it")
        return
    console = Console()
    plain = not console.is_terminal
    if plain:
        # Lines for a file or a pipe: no frame, and never folded.
        console = Console(width=_PLAIN_WIDTH)
    table = Table(box=None if plain else HEAVY_HEAD, pad_edge=False)
    for column in ("process", "state", "pid", "address", "lag", "coverage lag", "restarts"):
        table.add_column(column, overflow="fold")
    for one in found.processes:
        state, figures = one.state, one.figures
        table.add_row(
            state.name,
            state.condition,
            _or_dash(state.pid),
            state.address,
            _or_dash(figures.lag_records),
            _or_dash(figures.coverage_lag_records),
            str(state.restarts),
        )
    gone = ": its supervisor is gone, these still run; " + _ORPHANED if found.orphaned else ""
    title = f"exchange in {found.home}{gone}"
    console.print(title, markup=False, highlight=False, soft_wrap=True)
    console.print(table)
    for one in found.processes:
        if one.state.reason:
            console.print(f"{one.state.name}: {one.state.reason}", markup=False, soft_wrap=True)
    alarms = "; ".join(found.alarms) or "none"
    console.print(f"alarms: {alarms}", markup=False, soft_wrap=True)


def _facts(found: Status) -> dict[str, Any]:
    return {
        "home": str(found.home),
        "up": found.supervisor_pid is not None,
        "well": found.well,
        "supervisor_pid": found.supervisor_pid,
        "orphaned": found.orphaned,
        "lag_records": found.lag_records,
        "coverage_lag_records": found.coverage_lag_records,
        "alarms": list(found.alarms),
        "processes": [asdict(one.state) | asdict(one.figures) for one in found.processes],
    }


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)


class _progress:  # noqa: N801  reads as a verb in `with`
    """Shows what gets ready: a live line on a terminal, one line a change elsewhere."""

    def __init__(self, *, stays: bool = False) -> None:
        self._stays = stays
        self._console = Console(stderr=True)
        self._status = self._console.status("starting")
        self._said = ""

    def __enter__(self) -> Callable[[State], None]:
        if self._console.is_terminal:
            self._status.start()
        return self._report

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._status.stop()

    def _report(self, state: State) -> None:
        busy = [one for one in state.processes if one.condition not in ("ready", "waiting")]
        first = next(iter(busy or [one for one in state.processes if one.reason]), None)
        if first is not None:
            why = f" ({first.reason})" if first.reason else ""
            said = f"{first.name}: {first.condition}{why}"
        elif state.ready and self._stays:
            said = "ready; Ctrl-C or `weir down` stops everything"
        else:
            return
        if said == self._said:
            return
        self._said = said
        if self._console.is_terminal:
            self._status.update(said)
        else:
            click.echo(said, err=True)
