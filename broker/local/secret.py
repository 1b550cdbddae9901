"""Files that hold a secret: mode 0600 from the first byte on, written whole or not at all."""

import os
import secrets
from pathlib import Path


def write_secret(path: Path, text: str) -> None:
    """Replace the file with `text`, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
    scratch.replace(path)


def kept_secret(path: Path) -> str:
    """The secret in the file; generated and kept at the first call."""
    if not path.exists():
        write_secret(path, secrets.token_hex(24))
    return path.read_text().strip()
