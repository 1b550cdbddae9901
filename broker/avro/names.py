"""Names by the Avro specification: full names, namespaces, aliases, symbols, and docs."""

import json
import re
from typing import Any

from broker.avro.types import PRIMITIVES
from broker.errors import InvalidFieldError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_RULE = "must be letters, digits and _, not beginning with a digit"
_SHOWN_MAX = 60


def shown(value: Any) -> str:
    """A value as an error shows it: its JSON, shortened."""
    text = json.dumps(value)
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 3] + "..."


def simple(name: Any, place: str) -> str:
    """A name without dots.

    Raises:
        InvalidFieldError: it is missing or has other characters.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        said = "is missing" if name is None else f"is {shown(name)}"
        raise InvalidFieldError(place, f"{_RULE}, {said}")
    return name


def resolve(name: str, namespace: str) -> str:
    """The full name that a reference means inside a namespace."""
    return name if "." in name or not namespace else f"{namespace}.{name}"


def declared(node: dict[str, Any], place: str, enclosing: str) -> str:
    """The full name that a record, enum or fixed gives itself.

    A name with dots is a full name and `namespace` is ignored; else `namespace`, else the
    enclosing namespace; an empty `namespace` is the null namespace.

    Raises:
        InvalidFieldError: name or namespace breaks the rule, or it is a primitive type's name.
    """
    name = node.get("name")
    if isinstance(name, str) and "." in name:
        _dotted(name.removeprefix("."), f"{place}.name")
        fullname = name.removeprefix(".")
    else:
        simple(name, f"{place}.name")
        namespace = node.get("namespace", enclosing)
        if namespace is None:
            namespace = enclosing
        if namespace != "":
            _dotted(namespace, f"{place}.namespace")
        fullname = resolve(str(name), str(namespace))
    if fullname.rpartition(".")[2] in PRIMITIVES:
        raise InvalidFieldError(
            f"{place}.name", f"{fullname} bears a primitive type's name; choose another"
        )
    return fullname


def aliases(node: dict[str, Any], place: str, namespace: str) -> tuple[str, ...]:
    """Other full names of a record, enum or fixed, relative ones in its namespace."""
    found = []
    for index, alias in enumerate(_list(node, "aliases", place)):
        at = f"{place}.aliases[{index}]"
        _dotted(alias, at) if isinstance(alias, str) and "." in alias else simple(alias, at)
        found.append(resolve(alias, namespace))
    return tuple(found)


def field_aliases(node: dict[str, Any], place: str) -> tuple[str, ...]:
    """Other names of a record's field."""
    found = _list(node, "aliases", place)
    return tuple(simple(alias, f"{place}.aliases[{i}]") for i, alias in enumerate(found))


def symbols(node: dict[str, Any], place: str) -> tuple[str, ...]:
    """An enum's symbols: at least one, each a name, none twice."""
    found = _list(node, "symbols", place)
    if not found:
        raise InvalidFieldError(f"{place}.symbols", "must be a list of at least one symbol")
    seen: set[str] = set()
    for index, symbol in enumerate(found):
        at = f"{place}.symbols[{index}]"
        if simple(symbol, at) in seen:
            raise InvalidFieldError(at, f"{symbol!r} stands twice; keep one")
        seen.add(symbol)
    return tuple(found)


def doc(node: dict[str, Any], place: str) -> str | None:
    """Its documentation, if any."""
    text = node.get("doc")
    if text is not None and not isinstance(text, str):
        raise InvalidFieldError(f"{place}.doc", f"must be a text, is {shown(text)}")
    return text


def _dotted(name: Any, place: str) -> None:
    if not isinstance(name, str) or not all(_NAME.fullmatch(part) for part in name.split(".")):
        raise InvalidFieldError(place, f"each part between dots {_RULE}, is {shown(name)}")


def _list(node: dict[str, Any], key: str, place: str) -> list[Any]:
    found = node.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise InvalidFieldError(f"{place}.{key}", f"must be a list, is {shown(found)}")
    return found
