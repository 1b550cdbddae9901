"""`weir faults`: kill routers and brokers under load, and recount after each."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from broker.errors import InvalidFieldError

if TYPE_CHECKING:
    from broker.faults.run import Turn


@click.command()
@click.option(
    "--kills",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="How many must strike in mid-work.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Replays faults and load.")
@click.option(
    "--rate",
    type=click.IntRange(50, 50_000),
    default=2_000,
    show_default=True,
    help="Records a second.",
)
@click.option("--keep", metavar="DIR", type=click.Path(path_type=Path), help="Keep state and logs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def faults(*, kills: int, seed: int, rate: int, keep: Path | None, as_json: bool) -> None:
    """Kill -9 routers in mid-work, recounting after each.

    On a real exchange of its own. Two routers share the load; the broker is restarted and the
    ledger killed in between. A kill counts only where the router's log shows a transaction begun
    and not committed.

    Exits 0 if every recount agrees and enough kills counted; 1 if not.
    """
    from broker.faults.fault import schedule
    from broker.faults.run import run_faults

    for name in ("WEIR_KAFKA_BOOTSTRAP", "WEIR_DATABASE_URL"):
        if os.environ.get(name):
            raise InvalidFieldError(name, "must not be set: faults strike an exchange of their own")
    directory = keep or Path(tempfile.mkdtemp(prefix="weir-faults-"))
    outcome = run_faults(
        directory, schedule(seed), kills=kills, seed=seed, records_per_s=rate, told=_tell
    )
    if as_json:
        click.echo(outcome.to_json())
    well = outcome.agrees and outcome.kills >= kills
    click.echo(
        f"{outcome.kills} kills in mid-work, {len(outcome.turns)} recounts, "
        f"{'all agree' if outcome.agrees else 'NOT all agree'} (seed {seed})",
        err=as_json,
    )
    if well and keep is None:
        shutil.rmtree(directory)
    else:
        click.echo(f"logs are in {directory}", err=True)
    raise SystemExit(0 if well else 1)


def _tell(turn: "Turn") -> None:
    judged = turn.judgement
    hit = "mid-work" if turn.mid_work else "        "
    counts = f"{judged.valid_records} records, {judged.segments} segments"
    click.echo(f"{hit}  {turn.recovered_s:6.1f} s  {counts}  {turn.fault}", err=True)
    for fault in judged.faults:
        click.echo(f"  DIFFERS: {fault}", err=True)
