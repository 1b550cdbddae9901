"""Mid-work: what a router's own log says it was doing when it was struck.

A transaction is under way from the line `transaction begun` to `transaction committed`, or to the
line which says that the batch set failed.
"""

from pathlib import Path
from time import monotonic, sleep

_BEGUN = b"transaction begun"
_ENDED = (b"transaction committed", b"batch set failed")
# A transaction of a light load lasts 10 ms: look often enough to strike inside it.
_LOOK_S = 0.001


class Journal:
    """A router's log from here on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next_byte = path.stat().st_size if path.exists() else 0
        self._said = b""

    def working(self) -> bool:
        """Whether the last thing that was said is that a transaction began."""
        said = self._read_on()
        return said.rfind(_BEGUN) > max(said.rfind(line) for line in _ENDED)

    def wait_begun(self, *, timeout_s: float) -> bool:
        """Wait until the next transaction begins; whether one did in time."""
        deadline_s = monotonic() + timeout_s
        while _BEGUN not in self._read_on():
            if monotonic() > deadline_s:
                return False
            sleep(_LOOK_S)
        return True

    def _read_on(self) -> bytes:
        if self._path.exists():
            with self._path.open("rb") as opened:
                opened.seek(self._next_byte)
                more = opened.read()
            self._next_byte += len(more)
            self._said += more
        return self._said
