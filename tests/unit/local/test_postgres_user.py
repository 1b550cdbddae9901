"""Whom PostgreSQL runs as can run a copy of its programs."""

import os
from pathlib import Path

from broker.local.postgres_user import open_to_all


def test_a_copy_is_open_whatever_the_umask(tmp_path: Path) -> None:
    """What root made under umask 077 can be entered, read and, where it is a program, run."""
    before = os.umask(0o077)
    try:
        (tmp_path / "bin").mkdir()
        for name, mode in (("postgres", 0o700), ("library", 0o600)):
            (tmp_path / "bin" / name).touch(mode)
        (tmp_path / "bin" / "link").symlink_to("nowhere")
    finally:
        os.umask(before)

    open_to_all(tmp_path / "bin")

    names = (".", "postgres", "library")
    modes = {name: oct((tmp_path / "bin" / name).stat().st_mode & 0o777) for name in names}
    assert modes == {".": "0o755", "postgres": "0o755", "library": "0o644"}
