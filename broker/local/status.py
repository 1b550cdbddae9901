"""`weir status`: what runs in a home, and what its metrics say of lag, coverage and alarms.

Asks each process itself; a process that is down has no figures, which is not the same as zero.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from broker.local.background import running_supervisor
from broker.local.exchange import left_running
from broker.local.state import ProcessState, State, read_state
from broker.local.unit import get

_OK = 200


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one process says of itself; None where it does not say.

    Args:
        lag_records: source records that are visible and not yet routed.
        coverage_lag_records: records of `weir.usage` that the ledger has not applied.
        alarms: `kind: subject`, sorted.
    """

    lag_records: int | None = None
    coverage_lag_records: int | None = None
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProcessStatus:
    """One process, its state and its figures."""

    state: ProcessState
    figures: Figures


@dataclass(frozen=True, kw_only=True)
class Status:
    """What runs in a home; `supervisor_pid` None is down, or, with processes, orphaned."""

    home: Path
    supervisor_pid: int | None
    processes: tuple[ProcessStatus, ...]

    @property
    def orphaned(self) -> bool:
        """Whether the supervisor is gone and what it watched still runs."""
        return self.supervisor_pid is None and bool(self.processes)

    @property
    def well(self) -> bool:
        """Whether it is up, everything is ready, and no alarm stands."""
        ready = all(one.state.condition == "ready" for one in self.processes)
        return self.supervisor_pid is not None and ready and not self.alarms

    @property
    def lag_records(self) -> int | None:
        """Over all routers; None while none says."""
        return _sum([one.figures.lag_records for one in self.processes])

    @property
    def coverage_lag_records(self) -> int | None:
        """Of the ledger; None while it does not say."""
        return _sum([one.figures.coverage_lag_records for one in self.processes])

    @property
    def alarms(self) -> tuple[str, ...]:
        """Of all processes."""
        return tuple(sorted({alarm for one in self.processes for alarm in one.figures.alarms}))


def status(home: Path) -> Status:
    """Ask everything that runs in this home. Blocks a few seconds at most per process."""
    supervisor = running_supervisor(home)
    state = read_state(home)
    if supervisor is None or state is None:
        return Status(home=home, supervisor_pid=None, processes=_orphans(home, state))
    return Status(
        home=home,
        supervisor_pid=supervisor.pid,
        processes=tuple(map(_ask, state.processes)),
    )


def _orphans(home: Path, last: State | None) -> tuple[ProcessStatus, ...]:
    """What a killed supervisor left, as it last knew it, in the order it started them."""
    running = left_running(home)
    known = {one.name: one for one in last.processes} if last else {}
    names = [*(name for name in known if name in running), *(running.keys() - known.keys())]
    found = []
    for name in names:
        state = known.get(name)
        if state is None or state.pid != running[name]:
            state = ProcessState(
                name=name,
                condition="not ready",
                pid=running[name],
                address=state.address if state else "-",
                reason="nobody waited for it to get ready",
            )
        found.append(_ask(state))
    return tuple(found)


def figures_in(text: str) -> Figures:
    """Read what a process serves at `/metrics`."""
    lags: list[int | None] = []
    coverage_lags: list[int | None] = []
    alarms = []
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "weir_lag_records":
                lags.append(int(sample.value))
            elif sample.name == "weir_coverage_lag_records":
                coverage_lags.append(int(sample.value))
            elif sample.name == "weir_alarm" and sample.value:
                alarms.append(f"{sample.labels.get('kind')}: {sample.labels.get('subject')}")
    return Figures(
        lag_records=_sum(lags),
        coverage_lag_records=_sum(coverage_lags),
        alarms=tuple(sorted(alarms)),
    )


def _ask(process: ProcessState) -> ProcessStatus:
    """The supervisor asks once, when a process starts; what it says now is asked here."""
    url = urlsplit(process.address)
    if url.scheme != "http" or url.port is None or process.pid is None:
        return ProcessStatus(state=process, figures=Figures())
    code, text = get(url.port, "/metrics")
    figures = figures_in(text) if code == _OK else Figures()
    code, why = get(url.port, "/readyz")
    if process.condition == "ready" and code != _OK:
        reason = why.strip() or "it does not answer"
        process = replace(process, condition="not ready", reason=reason)
    return ProcessStatus(state=process, figures=figures)


def _sum(values: list[int | None]) -> int | None:
    said = [value for value in values if value is not None]
    return sum(said) if said else None
