"""What others chose, as a terminal may be shown it."""


def visible(text: str) -> str:
    """The text, with an escape for each character that would move a cursor or cannot be seen."""
    escaped = (one.encode("unicode_escape").decode("ascii") for one in text)
    return "".join(
        one if one.isprintable() else two for one, two in zip(text, escaped, strict=True)
    )
