"""Run: fault after fault under load, a recount after each, until enough kills have counted."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep

from broker.faults.fault import Fault
from broker.faults.judge import Judgement, judge
from broker.faults.stage import Stage
from broker.local.kafka import SERVING, Jvm

# Kills that struck between two transactions are judged too, but do not count.
_TURNS_PER_KILL_MAX = 4
_WARM_UP_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One fault and what came of it. `recovered_s`: from the strike to routed, healed included."""

    fault: str
    mid_work: bool
    recovered_s: float
    judgement: Judgement


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All turns of a run; `seed` replays its faults and its load."""

    seed: int
    turns: tuple[Turn, ...]

    @property
    def kills(self) -> int:
        """Kills that struck a router in mid-work."""
        return sum(turn.mid_work for turn in self.turns)

    @property
    def agrees(self) -> bool:
        """Whether every recount agreed."""
        return all(not turn.judgement.faults for turn in self.turns)

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps({"agrees": self.agrees, "kills": self.kills, **asdict(self)})


def run_faults(
    directory: Path,
    faults: Iterable[Fault],
    *,
    kills: int,
    seed: int,
    records_per_s: int = 2_000,
    jvm: Jvm = SERVING,
    told: Callable[[Turn], None] = lambda _turn: None,
) -> Outcome:
    """Strike with one fault after the other until `kills` have hit a router in mid-work.

    Args:
        directory: of the exchange that is made for it; its files are left to the caller.
        faults: in order; from `broker.faults.fault.schedule`, or a list.
        kills: how many must count. The run also ends with `faults`, with a recount that does not
            agree, or after four times as many turns.
        seed: of the load.
        records_per_s: of the load.
        jvm: of the broker.
        told: hears of each turn.

    Raises:
        UnavailableError: something did not come back; logs are in `directory`.
    """
    turns: list[Turn] = []
    with Stage(directory, seed=seed, records_per_s=records_per_s, jvm=jvm) as stage:
        stage.load.resume()
        sleep(_WARM_UP_S)
        stage.wait_routed()
        for fault in faults:
            turn = _turn(stage, fault)
            turns.append(turn)
            told(turn)
            done = sum(one.mid_work for one in turns) >= kills
            if done or turn.judgement.faults or len(turns) >= kills * _TURNS_PER_KILL_MAX:
                break
    return Outcome(seed=seed, turns=tuple(turns))


def _turn(stage: Stage, fault: Fault) -> Turn:
    stage.load.resume()
    with fault.struck(stage) as mid_work:
        struck_s = monotonic()
    stage.wait_routed()
    recovered_s = monotonic() - struck_s
    stage.load.pause()
    return Turn(
        fault=str(fault),
        mid_work=mid_work,
        recovered_s=round(recovered_s, 1),
        judgement=judge(stage),
    )
