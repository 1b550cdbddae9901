"""Lives of objects: an act is allowed from some states and refused by name from the others."""

from collections.abc import Collection

from broker.errors import ConflictError


def check_act(kind: str, object_id: str, act: str, state: str, allowed: Collection[str]) -> None:
    """Do nothing, if the act is allowed in this state.

    Raises:
        ConflictError: it is not; says from which states it is.
    """
    if state not in allowed:
        raise ConflictError(
            f"{kind} {object_id}: {act} is for one that is {' or '.join(sorted(allowed))}, "
            f"this one is {state}"
        )
