"""Query parameters: one that a route does not know is refused by its name.

`?limt=1` would otherwise be answered by a page of another size than was asked for.
"""

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from broker.errors import InvalidFieldError

_NAME_LENGTH_MAX = 80


def check_query(request: Request) -> None:
    """Dependency of every route.

    Raises:
        InvalidFieldError: names the first parameter that the route does not have.
    """
    route = request.scope["route"]
    if not isinstance(route, APIRoute):
        return
    known = sorted(set(_names(route.dependant)))
    for name in request.query_params:
        if name not in known:
            shown = ascii(name[:_NAME_LENGTH_MAX])[1:-1] or "?"
            there = f"it takes {', '.join(known)}" if known else "it takes none"
            raise InvalidFieldError(shown, f"is no query parameter of this route; {there}")


def _names(dependant: Dependant) -> Iterator[str]:
    """Those of the route itself, and those of what it depends on."""
    yield from (one.alias for one in dependant.query_params)
    for one in dependant.dependencies:
        yield from _names(one)
