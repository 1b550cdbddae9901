"""Mid-work: what a router's own log says it was doing when it was struck.

A transaction is under way from the line `transaction begun` to `transaction committed`, or to the
line which says that the batch set failed.
"""

from pathlib import Path

_BEGUN = b"transaction begun"
_ENDED = (b"transaction committed", b"batch set failed")


class Journal:
    """A router's log from here on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first_byte = path.stat().st_size if path.exists() else 0

    def working(self) -> bool:
        """Whether the last thing that was said is that a transaction began."""
        said = self._said()
        return said.rfind(_BEGUN) > max(said.rfind(line) for line in _ENDED)

    def transactions(self) -> int:
        """How many have begun."""
        return self._said().count(_BEGUN)

    def _said(self) -> bytes:
        if not self._path.exists():
            return b""
        with self._path.open("rb") as opened:
            opened.seek(self._first_byte)
            return opened.read()
