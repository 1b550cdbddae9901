"""Background tasks: kept alive, given up after a bounded number of failures, ended on request."""

import threading

import pytest

from broker.control import background
from broker.control.background import FAILURES_MAX, Background, Task, every
from broker.metrics import ALARM

LIMIT_S = 10.0


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_PAUSE_MIN_S", 0.001)
    monkeypatch.setattr(background, "_PAUSE_MAX_S", 0.002)


def test_a_failed_task_is_started_again() -> None:
    """A task that fails twice runs the third time; nothing is given up and no alarm is left."""
    runs: list[int] = []
    works = threading.Event()

    def run(stop: threading.Event) -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            raise RuntimeError("not yet")
        works.set()
        stop.wait(LIMIT_S)

    tasks = Background([Task("flaky", run)], give_up=lambda: runs.append(-1))
    tasks.start()
    assert works.wait(LIMIT_S)
    tasks.stop(timeout_s=LIMIT_S)
    assert runs == [0, 1, 2]
    assert ALARM.labels(kind="task-failed", subject="flaky")._value.get() == 0


def test_a_task_that_keeps_failing_is_given_up() -> None:
    """After ten failures in a row somebody else must start the process anew."""
    runs: list[int] = []
    gave_up = threading.Event()

    def run(_: threading.Event) -> None:
        runs.append(1)
        raise RuntimeError("never")

    tasks = Background([Task("broken", run)], give_up=gave_up.set)
    tasks.start()
    assert gave_up.wait(LIMIT_S)
    tasks.stop(timeout_s=LIMIT_S)
    assert len(runs) == FAILURES_MAX
    assert ALARM.labels(kind="task-failed", subject="broken")._value.get() == 1


def test_a_periodic_task_ends_when_told() -> None:
    """`every` acts again and again, and stops between two acts."""
    acts: list[int] = []
    thrice = threading.Event()

    def act() -> None:
        acts.append(1)
        if len(acts) == 3:
            thrice.set()

    tasks = Background([Task("tick", every(0.001, act))], give_up=lambda: None)
    tasks.start()
    assert thrice.wait(LIMIT_S)
    tasks.stop(timeout_s=LIMIT_S)
    done = len(acts)
    assert done >= 3
    assert not any(thread.name == "tick" for thread in threading.enumerate())
