"""`--home`: the directory a verb works in, checked before anything is done."""

import os
from pathlib import Path

from broker.config import home_from
from broker.errors import InvalidFieldError


def home_of(option: str | None, *, writes: bool = False) -> Path:
    """The home; `writes` if something is to be made in it.

    Raises:
        InvalidFieldError: it is no directory, or not ours to use.
    """
    where = home_from(os.environ, option)
    try:
        if writes:
            where.mkdir(parents=True, exist_ok=True)
        is_file = where.exists() and not where.is_dir()
    except FileExistsError:
        is_file = True
    except OSError as error:
        raise InvalidFieldError(
            "--home", f"{where} cannot be used ({error.strerror}); name another directory"
        ) from error
    if is_file:
        raise InvalidFieldError("--home", f"{where} is a file; name a directory")
    if where.exists() and not os.access(where, os.R_OK | os.W_OK | os.X_OK):
        raise InvalidFieldError("--home", f"{where} is not yours to write; name another directory")
    return where
