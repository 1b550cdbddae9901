"""A file that holds one secret: a token, or a password."""

from pathlib import Path

from broker.errors import InvalidFieldError


def secret_in(path: Path, *, field: str) -> str:
    """The secret that the file holds, without the white space around it.

    Args:
        path: the file.
        field: what named the file, e.g. `WEIR_TOKEN_FILE`.

    Raises:
        InvalidFieldError: it cannot be read, is no text, or holds nothing.
    """
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidFieldError(
            field, f"{path} cannot be read ({error.strerror}); name a file that holds the secret"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidFieldError(
            field, f"{path} is not UTF-8 text; name a file that holds the secret alone"
        ) from error
    if not secret:
        raise InvalidFieldError(field, f"{path} is empty; write the secret into it")
    return secret
