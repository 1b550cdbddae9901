"""Defaults: whether a field's default is a value of its type.

A union's default may match any of its branches (Avro 1.12; before, it had to be the first).
Bytes and fixed are texts whose characters are the bytes 0 to 255.
"""

import math
from typing import Any

from broker.avro.names import shown
from broker.avro.types import Array, Enum, Fixed, Map, Primitive, Record, Type, Union
from broker.errors import InvalidFieldError

_BYTE_MAX = 255
_INT = range(-(2**31), 2**31)
_LONG = range(-(2**63), 2**63)
_FLOAT_MAX = 3.4028234663852886e38


def check_default(type_: Type, default: Any, place: str) -> None:
    """Pass a default that a reader can fill in.

    Raises:
        InvalidFieldError: names the place in the default.
    """
    match type_:
        case Array(items=items):
            if not isinstance(default, list):
                raise _refusal(place, "a list", default)
            for index, item in enumerate(default):
                check_default(items, item, f"{place}[{index}]")
        case Map(values=values):
            if not isinstance(default, dict):
                raise _refusal(place, "an object", default)
            for key, value in default.items():
                check_default(values, value, f"{place}[{shown(key)}]")
        case Record():
            _check_record(type_, default, place)
        case _:
            _check_leaf(type_, default, place)


def _check_leaf(type_: Type, default: Any, place: str) -> None:
    match type_:
        case Primitive(name=name) if not _primitive(name, default):
            raise _refusal(place, f"a value of type {name}", default)
        case Union(branches=branches) if not any(_fits(branch, default) for branch in branches):
            kinds = ", ".join(branch.kind for branch in branches)
            raise _refusal(place, f"a value of one of {kinds}", default)
        case Enum(symbols=symbols) if default not in symbols:
            raise _refusal(place, "one of the symbols", default)
        case Fixed(size_bytes=size) if not _bytes(default) or len(default) != size:
            raise _refusal(place, f"a text of {size} characters up to \\u00ff", default)
        case _:
            return


def _check_record(record: Record, default: Any, place: str) -> None:
    if not isinstance(default, dict):
        raise _refusal(place, "an object", default)
    for field in record.fields:
        if field.name in default:
            check_default(field.type, default[field.name], f"{place}.{field.name}")
        elif not field.has_default:
            raise InvalidFieldError(
                f"{place}.{field.name}", "is missing and the field has no default; give it"
            )


def _fits(type_: Type, default: Any) -> bool:
    try:
        check_default(type_, default, "")
    except InvalidFieldError:
        return False
    return True


def _primitive(name: str, value: Any) -> bool:  # noqa: PLR0911  one line a type
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match name:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "int":
            return number and isinstance(value, int) and value in _INT
        case "long":
            return number and isinstance(value, int) and value in _LONG
        case "float":
            return number and abs(value) <= _FLOAT_MAX
        case "double":
            return number and math.isfinite(value)
        case "bytes":
            return _bytes(value)
        case _:
            return isinstance(value, str)


def _bytes(value: Any) -> bool:
    return isinstance(value, str) and all(ord(character) <= _BYTE_MAX for character in value)


def _refusal(place: str, wanted: str, default: Any) -> InvalidFieldError:
    return InvalidFieldError(place, f"must be {wanted}, is {shown(default)}; change or drop it")
