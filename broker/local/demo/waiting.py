"""Waiting for a condition, within a bound, with a sentence for when it does not come."""

import time
from collections.abc import Callable
from typing import TypeVar

from broker.errors import UnavailableError

T = TypeVar("T")
_POLL_S = 0.1


def until(seen: Callable[[], T | None], *, what: str, timeout_s: float) -> T:
    """Ask until it gives something.

    Raises:
        UnavailableError: `what` did not happen within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        result = seen()
        if result is not None and result is not False:
            return result
        if time.monotonic() > deadline:
            raise UnavailableError(f"{what}: did not happen within {timeout_s:.0f} s")
        time.sleep(_POLL_S)
