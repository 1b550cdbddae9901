"""Secrets in files: made once, mode 0600, never on a command line."""

import os
from pathlib import Path

from broker.errors import InvalidFieldError
from broker.secret_file import secret_in


def check_new(path: Path | None) -> None:
    """Do nothing, if a secret can be written there. Asked before the secret is made.

    Raises:
        InvalidFieldError: the file exists, or cannot be made.
    """
    if path is None:
        return
    if path.exists():
        raise InvalidFieldError("--out", f"{path} exists; name another file, or remove it")
    if not path.absolute().parent.is_dir():
        raise InvalidFieldError("--out", f"{path.absolute().parent} is no directory; make it")
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        path.unlink()
    except OSError as error:
        raise InvalidFieldError(
            "--out", f"{path} cannot be made ({error.strerror}); name another file"
        ) from error


def write_secret(path: Path, secret: str) -> None:
    """Write it into a new file, for its owner alone.

    Raises:
        FileExistsError: there is one.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")


def read_secret(path: Path | None, *, field: str) -> str | None:
    """The secret in a file; None where no file was named.

    Raises:
        InvalidFieldError: the file cannot be read, or holds none.
    """
    return None if path is None else secret_in(path, field=field)
