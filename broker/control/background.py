"""Background: what runs beside the API in one process, each in a thread that is kept alive.

A task that fails is started again after a pause that doubles up to 10 s, with an alarm standing
while it is down. Ten failures in a row are more than this process can mend: it gives up, so that
whoever supervises the process starts it anew.
"""

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from broker.alarms import Alarm, clear_alarm, raise_alarm

_PAUSE_MIN_S = 0.2
_PAUSE_MAX_S = 10.0
_HEALTHY_S = 60.0
FAILURES_MAX = 10
_log = structlog.get_logger()


@dataclass(frozen=True)
class Task:
    """A name, and what runs until the event is set."""

    name: str
    run: Callable[[threading.Event], None]


def every(interval_s: float, act: Callable[[], object]) -> Callable[[threading.Event], None]:
    """A task's run that acts, pauses, and acts again."""

    def run(stop: threading.Event) -> None:
        while not stop.is_set():
            act()
            stop.wait(interval_s)

    return run


class Background:
    """Runs tasks in threads of their own.

    Args:
        tasks: what to run.
        give_up: called once, from a task's thread, when a task keeps failing.
    """

    def __init__(self, tasks: Sequence[Task], *, give_up: Callable[[], None]) -> None:
        self._give_up = give_up
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep, args=(task,), name=task.name, daemon=True)
            for task in tasks
        ]

    def start(self) -> None:
        """Start them all."""
        for thread in self._threads:
            thread.start()

    def stop(self, *, timeout_s: float) -> None:
        """Tell them all, and wait at most `timeout_s` in all for them to end."""
        self._stop.set()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                _log.warning("task left behind", task=thread.name)

    def _keep(self, task: Task) -> None:
        failures = 0
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                task.run(self._stop)
            except Exception as error:  # noqa: BLE001  whatever it is, the task is started again
                if time.monotonic() - started > _HEALTHY_S:
                    failures = 0
                failures += 1
                _log.error("task failed", task=task.name, trace=_trace(error))
                raise_alarm(Alarm.TASK_FAILED, task.name, f"{type(error).__name__}: {error}"[:300])
                if failures >= FAILURES_MAX:
                    self._give_up()
                    return
                pause_s = min(_PAUSE_MIN_S * 2 ** (failures - 1), _PAUSE_MAX_S)
                if not self._stop.wait(pause_s):
                    clear_alarm(Alarm.TASK_FAILED, task.name)
            else:
                return


def _trace(error: BaseException) -> str:
    # Formatted here, since renderers that show local variables would show secrets.
    return "".join(traceback.format_exception(error))[-4000:]
