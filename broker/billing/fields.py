"""The fields of one JSON object, each read by its rule and named by its path when it breaks it."""

from collections.abc import Callable, Collection
from fractions import Fraction
from typing import Any, Final, TypeVar

from broker.billing.document import JsonObject, decimal, shown
from broker.errors import InvalidFieldError

_MISSING: Final = object()
Read = TypeVar("Read")


class Fields:
    """One object of a document, at `path` counted from the document's top.

    Args:
        value: what stands there; anything but an object is refused.
        path: how the object is named in an error; "" is the document itself.
        allowed: the names it may hold.

    Raises:
        InvalidFieldError: not an object, a key written twice, or an unknown one.
    """

    def __init__(self, value: Any, path: str, allowed: Collection[str]) -> None:
        self._value = as_object(value, path)
        self._prefix = f"{path}." if path else ""
        twice = getattr(value, "twice", None) if isinstance(value, JsonObject) else None
        if twice is not None:
            raise InvalidFieldError(self.path(twice), "is written twice; write it once")
        for name in self._value:
            if name not in allowed:
                raise InvalidFieldError(
                    self.path(name), f"is unknown here; known are {', '.join(sorted(allowed))}"
                )

    def path(self, name: str) -> str:
        """How a field of this object is named in an error."""
        return f"{self._prefix}{name}"

    def has(self, name: str) -> bool:
        """Whether the field is written, be it as null."""
        return name in self._value

    def get(self, name: str) -> Any:
        """What is written, or None."""
        return self._value.get(name)

    def required(self, name: str) -> Any:
        """What is written.

        Raises:
            InvalidFieldError: nothing is.
        """
        value = self._value.get(name, _MISSING)
        if value is _MISSING:
            raise InvalidFieldError(self.path(name), "is required and missing; write it")
        return value

    def decimal(self, name: str, default: str | None = None) -> Fraction:
        """A decimal, not negative; required where there is no default."""
        if default is not None and not self.has(name):
            return Fraction(default)
        return decimal(self.required(name), self.path(name))

    def positive(self, name: str) -> Fraction:
        """A required decimal above zero."""
        value = self.decimal(name)
        if value == 0:
            raise InvalidFieldError(self.path(name), f"must be above 0, is {self.get(name)}")
        return value

    def optional(self, name: str, *, positive: bool = False) -> Fraction | None:
        """A decimal; None where it is null or not written."""
        if self.get(name) is None:
            return None
        return self.positive(name) if positive else self.decimal(name)

    def choice(self, name: str, options: Collection[str], default: str | None = None) -> str:
        """One of a few words; required where there is no default."""
        if default is not None and not self.has(name):
            return default
        value = self.required(name)
        if not isinstance(value, str) or value not in options:
            raise InvalidFieldError(
                self.path(name), f"must be one of {', '.join(options)}; is {shown(value)}"
            )
        return value

    def integer(self, name: str, *, at_most: int | None = None) -> int | None:
        """A JSON integer from 0; None where it is not written."""
        if not self.has(name):
            return None
        value = self.get(name)
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if not fits or (at_most is not None and value > at_most):
            bound = "from 0" if at_most is None else f"0 to {at_most}"
            raise InvalidFieldError(
                self.path(name), f"must be an integer {bound}, is {shown(value)}"
            )
        return int(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self._value.get(name, default)
        if not isinstance(value, bool):
            raise InvalidFieldError(self.path(name), f"must be true or false, is {shown(value)}")
        return value

    def items(
        self, name: str, read: Callable[[Any, str], Read], *, at_most: int
    ) -> tuple[Read, ...]:
        """A required list of 1 to `at_most`, each read with its path."""
        value = self.required(name)
        return read_list(value, self.path(name), read, at_least=1, at_most=at_most)


def as_object(value: Any, path: str) -> dict[str, Any]:
    """The value, which must be a JSON object.

    Raises:
        InvalidFieldError: it is not.
    """
    if not isinstance(value, dict):
        raise InvalidFieldError(path, f"must be an object {{…}}, is {shown(value)}")
    return value


def read_list(
    value: Any,
    path: str,
    read: Callable[[Any, str], Read],
    *,
    at_least: int = 0,
    at_most: int | None = None,
) -> tuple[Read, ...]:
    """Each item of a JSON list, read with its path (`price.tiers[1]`).

    Raises:
        InvalidFieldError: it is no list, too short, too long, or an item is refused.
    """
    if not isinstance(value, list | tuple):
        raise InvalidFieldError(path, f"must be a list […], is {shown(value)}")
    if len(value) < at_least or (at_most is not None and len(value) > at_most):
        bound = f"at least {at_least}" if at_most is None else f"{at_least} to {at_most}"
        raise InvalidFieldError(path, f"must hold {bound}, holds {len(value)}")
    return tuple(read(item, f"{path}[{i}]") for i, item in enumerate(value))
