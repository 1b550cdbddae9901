"""Screen: what the demo tells, step by step; bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

_PLAIN_EVERY_S = 8.0


class Screen:
    """Numbered steps and facts."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._number = 0

    def step(self, title: str) -> None:
        """A new step of the story."""
        self._number += 1
        self.console.print(f"\n[bold]{self._number}. {title}[/bold]", highlight=False)

    def fact(self, text: str) -> None:
        """Something that was seen."""
        self.console.print(f"   {text}", highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def progress(self, totals: dict[str, int]) -> Iterator[Callable[[dict[str, int]], None]]:
        """Bars that the block moves by calling what it is given with {name: done}."""
        if not self.console.is_terminal:
            yield self._plain(totals)
            return
        columns = (TextColumn("   {task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self.console) as bars:
            tasks: dict[str, TaskID] = {
                name: bars.add_task(name, total=total) for name, total in totals.items()
            }

            def move(done: dict[str, int]) -> None:
                for name, count in done.items():
                    bars.update(tasks[name], completed=count)

            yield move

    def _plain(self, totals: dict[str, int]) -> Callable[[dict[str, int]], None]:
        told_s = time.monotonic()

        def move(done: dict[str, int]) -> None:
            nonlocal told_s
            if time.monotonic() - told_s < _PLAIN_EVERY_S:
                return
            told_s = time.monotonic()
            self.fact(", ".join(f"{n} {c:,} of {totals[n]:,}" for n, c in done.items()))

        return move
