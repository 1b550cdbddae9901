"""The lock on a directory: one owner, who may take it again."""

from pathlib import Path

import pytest

from broker.errors import SetupError
from broker.local.lock import DirectoryLock


def test_its_owner_takes_it_again(tmp_path: Path) -> None:
    """A service that died is launched again by who holds its directory still."""
    owner, other = DirectoryLock(tmp_path), DirectoryLock(tmp_path)
    owner.acquire()
    owner.acquire()
    with pytest.raises(SetupError, match="in use by another process"):
        other.acquire()
    owner.release()
    other.acquire()
    other.release()
