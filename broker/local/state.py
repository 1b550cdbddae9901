"""What the supervisor last knew: `HOME/run/state.json`, which `status`, `up` and `down` read."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from broker.errors import SetupError
from broker.local.secret import write_secret

Condition = Literal["waiting", "starting", "ready", "not ready", "restarting", "failed", "stopped"]


@dataclass(frozen=True, kw_only=True)
class ProcessState:
    """One process as the supervisor sees it.

    Args:
        restarts: how often it was started again since `up`.
        reason: why it last ended or is not ready, in words; empty if all is well.
    """

    name: str
    condition: Condition
    pid: int | None
    address: str
    restarts: int = 0
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class State:
    """All processes in the order they start; `error` says why the supervisor gave up."""

    processes: tuple[ProcessState, ...]
    error: str = ""

    @property
    def ready(self) -> bool:
        """Whether everything does its work."""
        return all(one.condition == "ready" for one in self.processes)


def write_state(home: Path, state: State) -> None:
    """Replace the file; readers see the old or the new, never half."""
    write_secret(state_file(home), json.dumps(asdict(state), indent=1))


def read_state(home: Path) -> State | None:
    """What was last written; None where nothing ever ran.

    Raises:
        SetupError: the home belongs to another user.
    """
    try:
        stored = json.loads(state_file(home).read_text())
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise SetupError(f"{home}: belongs to another user; be that user to see it") from error
    processes = tuple(ProcessState(**one) for one in stored["processes"])
    return State(processes=processes, error=stored["error"])


def state_file(home: Path) -> Path:
    """Its path."""
    return home / "run" / "state.json"
