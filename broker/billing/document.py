"""JSON read strictly: nothing is lost or guessed between the text and the field that judges it.

Python's own reader drops the first of two equal keys, turns `0.1` into a float and accepts NaN.
Here such things survive as values of their own, so that the field which holds them is named.
"""

import json
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from broker.errors import InvalidFieldError

DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,18})?")
QUANTITY_END = 10**20
_INTEGER_DIGITS_MAX = 40
_SHOWN_CHARS_MAX = 60


class JsonObject(dict[str, Any]):
    """A JSON object that remembers a key which the text held twice."""

    twice: str | None = None


@dataclass(frozen=True)
class RefusedNumber:
    """A number that no field takes: with point or exponent, not finite, or too long."""

    text: str


def read_json(text: str) -> Any:
    """Read one JSON value.

    Raises:
        InvalidFieldError: with field "", the text is not JSON.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=RefusedNumber,
            parse_constant=RefusedNumber,
            parse_int=_integer,
        )
    except ValueError as error:
        raise InvalidFieldError("", f"is not JSON: {error}; write one JSON object") from error
    except RecursionError as error:
        raise InvalidFieldError("", "is nested too deeply; a document needs 8 levels") from error


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    read = JsonObject()
    for key, value in pairs:
        if key in read and read.twice is None:
            read.twice = key
        read[key] = value
    return read


def _integer(text: str) -> int | RefusedNumber:
    return int(text) if len(text) <= _INTEGER_DIGITS_MAX else RefusedNumber(text)


def shown(value: Any) -> str:
    """The value as its writer would recognise it in a message, cut to one short line."""
    match value:
        case RefusedNumber(text=text):
            return f"the JSON number {_cut(text)}"
        case bool() | None | str():
            return _cut(json.dumps(value))
        case int() | float():
            return f"the JSON number {_cut(str(value))}"
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return "an object"
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS_MAX else text[:_SHOWN_CHARS_MAX] + "…"


def decimal(value: Any, path: str) -> Fraction:
    """A decimal as every price writes it: a string of plain digits.

    Raises:
        InvalidFieldError: it is anything else.
    """
    if not isinstance(value, str) or not DECIMAL.fullmatch(value):
        raise InvalidFieldError(
            path,
            "must be a decimal in a string (at most 20 digits before and 18 after the point; no "
            f'sign, exponent, space or leading zero), e.g. "0.10"; is {shown(value)}',
        )
    return Fraction(value)


def quantity(value: Any, path: str) -> Fraction:
    """A quantity of usage: a decimal in a string, or a JSON integer.

    Raises:
        InvalidFieldError: it is anything else, negative, or has more than 20 digits.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value < QUANTITY_END:
            return Fraction(value)
        raise InvalidFieldError(path, f"must be 0 to 10^20 - 1, is {shown(value)}")
    return decimal(value, path)
