"""Repeated fields: JSON lets an object name a field twice, and readers then differ in which counts.

A price that is read otherwise than it was meant is worse than one that is refused.
"""

import json
from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from broker.api.problems import field_name

_NAME_LENGTH_MAX = 200
# Objects and lists that are looked at for the path; past that, the bare name must do.
_WALKED_MAX = 10_000


class _Repeating(dict[str, Any]):
    """An object that names `field` more than once."""

    field: str = ""


class _Step(NamedTuple):
    before: "_Step | None"
    part: str | int


def repeated_field(body: bytes) -> str | None:
    """The outermost field that an object of this body names more than once, as a path.

    Of a body with ten thousands of objects, its bare name.

    None too where the body is no JSON: whoever reads it says so.

    >>> repeated_field(b'{"price": {"tiers": [{"up_to": 1, "up_to": 2}]}}')
    'price.tiers[0].up_to'
    """
    found: str | None = None

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        whole = dict(pairs)
        if len(whole) == len(pairs):
            return whole
        counts = Counter(name for name, _ in pairs)
        repeating = _Repeating(whole)
        repeating.field = found = next(name for name, count in counts.items() if count > 1)
        return repeating

    try:
        value = json.loads(body, object_pairs_hook=made)
    except (ValueError, RecursionError):
        return None
    return None if found is None else _shown(next(_paths(value), found))


def _paths(value: Any) -> Iterator[str]:
    """Outermost first; no recursion, each step kept once, and a bound: a body may be all braces."""
    waiting: deque[tuple[_Step | None, Any]] = deque([(None, value)])
    for _ in range(_WALKED_MAX):
        if not waiting:
            return
        step, one = waiting.popleft()
        if isinstance(one, _Repeating):
            yield field_name(("body", *_path(step), one.field))
        inner = one.items() if isinstance(one, dict) else enumerate(one)
        below = ((_Step(step, part), it) for part, it in inner if isinstance(it, dict | list))
        waiting.extend(islice(below, _WALKED_MAX - len(waiting)))


def _path(step: "_Step | None") -> list[str | int]:
    parts = []
    while step is not None:
        parts.append(step.part)
        step = step.before
    return parts[::-1]


def _shown(name: str) -> str:
    """No lone surrogates, which no answer can carry, and no end of it."""
    return name[:_NAME_LENGTH_MAX].encode("utf-8", "backslashreplace").decode()
