"""Progress: a verb that takes longer than two seconds says what it does, on standard error.

    with progress("gridco/forecast: waiting for its topic") as say:
        ...
        say("gridco/forecast: its topic is there, waiting for the rights to it")

On a terminal a live line, elsewhere a plain one a change. A quick verb says nothing, and none does
where `--json` was asked for.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import click
from rich.console import Console
from rich.markup import escape

AFTER_S = 2.0


class Alarm(Protocol):
    """Calls once, later, unless it is cancelled."""

    def start(self) -> None:
        """Begin to wait."""

    def cancel(self) -> None:
        """Do not call any more."""


@contextmanager
def progress(
    words: str,
    *,
    alarm: Callable[[float, Callable[[], None]], Alarm] = threading.Timer,
    console: Console | None = None,
) -> Iterator[Callable[[str], None]]:
    """Say what goes on, once it has gone on for `AFTER_S`; gives what changes the words.

    Args:
        words: what is done first.
        alarm: made of seconds and what to call then; another one in tests.
        console: where it is said; standard error if None.
    """
    context = click.get_current_context(silent=True)
    if context is not None and context.params.get("as_json"):
        yield lambda _: None
        return
    line = _Line(words, console or Console(stderr=True))
    waiting = alarm(AFTER_S, line.begin)
    waiting.start()
    try:
        yield line.say
    finally:
        waiting.cancel()
        line.end()


class _Line:
    """What is said; begun by the alarm's thread, changed and ended by the verb's."""

    def __init__(self, words: str, console: Console) -> None:
        self._words = words
        self._console = console
        self._status = console.status(escape(words))
        self._lock = threading.Lock()
        self._shown = self._ended = False

    def begin(self) -> None:
        """Show it from now on, unless it has ended meanwhile."""
        with self._lock:
            if not self._ended:
                self._shown = True
                self._show()

    def say(self, words: str) -> None:
        """Change the words."""
        with self._lock:
            if words != self._words:
                self._words = words
                if self._shown:
                    self._show()

    def end(self) -> None:
        """Show it no longer."""
        with self._lock:
            self._ended = True
            if self._shown and self._console.is_terminal:
                self._status.stop()

    def _show(self) -> None:
        if self._console.is_terminal:
            self._status.update(escape(self._words))
            self._status.start()
        else:
            self._console.print(self._words, markup=False, highlight=False, soft_wrap=True)
