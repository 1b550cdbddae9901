"""One owner at a time for a directory.

A second Kafka on one data directory writes into the first one's log before its own lock fails
(measured), so ours comes first.
"""

import fcntl
import os
from pathlib import Path

from broker.errors import SetupError


class DirectoryLock:
    """An exclusive lock on a directory, freed when the holder ends, however it ends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file: int | None = None

    def acquire(self) -> None:
        """Take it, or say at once who has it. Repeatable: a relaunch finds it held by ourselves.

        Raises:
            SetupError: another process has it, or it is another user's.
        """
        if self._file is not None:
            return  # a second descriptor would be shut out by our own first one
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            opened = os.open(self._directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except PermissionError as error:
            raise SetupError(
                f"{self._directory}: you may not write there; it belongs to another user, "
                "so be that user or choose another directory"
            ) from error
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(opened)
            raise SetupError(
                f"{self._directory}: is in use by another process; stop it first, "
                "or choose another directory"
            ) from error
        self._file = opened

    def release(self) -> None:
        """Give it back; nothing happens where it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
