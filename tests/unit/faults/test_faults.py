"""What counts as a kill in mid-work, and which faults a seed draws."""

from itertools import islice
from pathlib import Path

import pytest

from broker.faults.fault import KillLedger, KillRouter, PauseRouter, RestartBroker, schedule
from broker.faults.judge import Judgement
from broker.faults.midwork import Journal
from broker.faults.run import Outcome, Turn

BEGUN = "2026-11-24 13:29:17 [debug    ] transaction begun              batches=2\n"
COMMITTED = "2026-11-24 13:29:17 [debug    ] transaction committed          segments=2\n"
FAILED = "2026-11-24 13:29:17 [warning  ] batch set failed               error=x\n"


@pytest.mark.parametrize(
    ("said", "working"),
    [
        ("", False),
        (BEGUN, True),
        (BEGUN + COMMITTED, False),
        (BEGUN + COMMITTED + BEGUN, True),
        (BEGUN + FAILED, False),
        (FAILED + BEGUN + "policy read\n", True),
    ],
)
def test_mid_work_is_what_the_log_says(tmp_path: Path, said: str, *, working: bool) -> None:
    """A router is in mid-work from the line that begins a transaction to the one that ends it."""
    log = tmp_path / "log"
    log.write_text(BEGUN)  # of before, and no longer true
    journal = Journal(log)
    with log.open("a") as opened:
        opened.write(said)
    assert journal.working() is working


def test_a_seed_draws_the_same_faults() -> None:
    """One seed gives one schedule, another seed another."""
    assert list(islice(schedule(7), 40)) == list(islice(schedule(7), 40))
    assert list(islice(schedule(7), 40)) != list(islice(schedule(8), 40))


def test_a_schedule_holds_every_fault() -> None:
    """Among the faults of twenty kills are both restarts of the broker, and both routers die."""
    drawn = list(islice(schedule(1), 24))
    assert {type(fault) for fault in drawn} == {KillRouter, PauseRouter, RestartBroker, KillLedger}
    assert {fault.hard for fault in drawn if isinstance(fault, RestartBroker)} == {True, False}
    assert {fault.router for fault in drawn if isinstance(fault, KillRouter)} == {0, 1}


def turn(*, mid_work: bool, faults: tuple[str, ...] = ()) -> Turn:
    """A turn judged with these faults."""
    judged = Judgement(valid_records=1, refused_records=0, segments=1, faults=faults)
    return Turn(fault="any", mid_work=mid_work, recovered_s=1.0, judgement=judged)


def test_only_kills_in_mid_work_count() -> None:
    """A kill between two transactions is judged but not counted; one disagreement is enough."""
    outcome = Outcome(seed=1, turns=(turn(mid_work=True), turn(mid_work=False)))
    assert (outcome.kills, outcome.agrees) == (1, True)
    worse = Outcome(seed=1, turns=(*outcome.turns, turn(mid_work=True, faults=("differs",))))
    assert (worse.kills, worse.agrees) == (2, False)
