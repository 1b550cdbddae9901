"""What others chose, as a terminal may be shown it."""

import json
from datetime import datetime
from typing import Any


def visible(text: str) -> str:
    """The text, with an escape for each character that would move a cursor or cannot be seen."""
    escaped = (one.encode("unicode_escape").decode("ascii") for one in text)
    return "".join(
        one if one.isprintable() else two for one, two in zip(text, escaped, strict=True)
    )


def visible_json(value: Any, *, indent: int | None = None) -> str:
    """The value as JSON, times in ISO 8601.

    What would move a cursor or cannot be seen stands as JSON's escapes.
    """
    written = json.dumps(value, default=_plain, indent=indent, ensure_ascii=False)
    return "".join(
        one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in written
    )


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
