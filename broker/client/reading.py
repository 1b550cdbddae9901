"""JSON to values. Fields that a newer API adds are passed over."""

from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

Value = TypeVar("Value")


def value_of(cls: type[Value], body: dict[str, Any]) -> Value:
    """The value in a JSON object.

    >>> from broker.client.values import Me
    >>> value_of(Me, {"name": "operator", "role": "operator", "organisation": None, "new": 1})
    Me(name='operator', role='operator', organisation=None)
    """
    hints: dict[str, Any] = _hints(cls)  # type: ignore[arg-type]
    names = [one.name for one in fields(cls)]  # type: ignore[arg-type]
    return cls(**{name: _read(hints[name], body[name]) for name in names if name in body})


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _read(hint: Any, value: Any) -> Any:
    """JSON has neither times nor tuples nor numbers as keys."""
    options = get_args(hint) or (hint,)
    if value is None:
        return None
    if datetime in options:
        return datetime.fromisoformat(value)
    if isinstance(value, list) and options[-1] is Ellipsis:
        return tuple(_read(options[0], one) for one in value)
    if isinstance(value, dict) and options[0] is int:
        return {int(key): one for key, one in value.items()}
    if isinstance(value, dict):
        known = [one for one in options if hasattr(one, "__dataclass_fields__")]
        return value_of(known[0], value) if known else value
    return value
