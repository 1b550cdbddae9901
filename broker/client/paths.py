"""Paths of `/v1`, made of words that somebody typed.

A word stays inside its part of the path: `#` and `?` are quoted, and what would lead elsewhere (a
slash, dots, nothing) is refused before anybody is asked.
"""

from urllib.parse import quote

from broker.errors import InvalidFieldError

_ELSEWHERE = {"", ".", ".."}


def word(field: str, typed: str) -> str:
    """One part of a path.

    >>> word("account", "edge?a")
    'edge%3Fa'

    Args:
        field: what it is the name of.
        typed: as it was given.

    Raises:
        InvalidFieldError: it is no one part.
    """
    if typed in _ELSEWHERE or "/" in typed:
        raise InvalidFieldError(field, f"must be a name without a slash, is {typed!r}; give one")
    return quote(typed, safe="")


def object_id(field: str, typed: str) -> str:
    """The two parts of an id, `organisation/name`.

    >>> object_id("product", "windco/turbines")
    'windco/turbines'

    Raises:
        InvalidFieldError: it does not have two.
    """
    organisation, slash, name = typed.partition("/")
    if not slash or "/" in name or not _ELSEWHERE.isdisjoint((organisation, name)):
        raise InvalidFieldError(field, f"must be organisation/name, is {typed!r}; give both")
    return f"{word(field, organisation)}/{word(field, name)}"
