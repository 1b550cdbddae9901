"""Strict JSON: what a schema's text may be before anyone looks at what it says.

The standard parser takes NaN, lets a second key replace the first, and stops a deep text with
RecursionError. Here each of these is a named refusal.
"""

import json
from typing import Any

from broker.errors import InvalidFieldError

TEXT_BYTES_MAX = 64 * 1024
# 32 nested records need 3 levels of JSON each: the type's object, its fields, the field's object.
NESTING_MAX = 128
INTEGER_DIGITS_MAX = 40
_SHOWN_MAX = 60


def read_json(text: str, *, field: str) -> Any:
    """The value that a text of at most 64 KiB holds.

    Raises:
        InvalidFieldError: names `field`; the text is too long or too deep, is not JSON, repeats a
            key, or holds NaN, Infinity or a number that no Avro type can take.
    """
    _check_size(text, field)
    _check_nesting(text, field)

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen = dict(items)
        if len(seen) != len(items):
            keys = [key for key, _ in items]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InvalidFieldError(field, f"has the key {_short(twice)} twice; keep one")
        return seen

    def constant(name: str) -> Any:
        raise InvalidFieldError(field, f"holds {name}, which is not JSON; write a finite number")

    def integer(digits: str) -> int:
        if len(digits) > INTEGER_DIGITS_MAX:
            raise InvalidFieldError(field, f"holds a number of {len(digits)} digits; shorten it")
        return int(digits)

    def number(digits: str) -> float:
        value = float(digits)
        if value in (float("inf"), float("-inf")):
            raise InvalidFieldError(field, f"holds {_short(digits)}, too large for a double")
        return value

    try:
        value = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_constant=constant,
            parse_int=integer,
            parse_float=number,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidFieldError(field, f"is not JSON ({error.msg}, {where}); mend it") from error
    # Escapes, too, can spell half of a surrogate pair, which no database stores.
    _encoded(json.dumps(value, ensure_ascii=False), field)
    return value


def _check_size(text: str, field: str) -> None:
    size_bytes = len(_encoded(text, field))
    if size_bytes > TEXT_BYTES_MAX:
        raise InvalidFieldError(
            field, f"must have at most {TEXT_BYTES_MAX} bytes, has {size_bytes}; shorten it"
        )


def _encoded(text: str, field: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidFieldError(field, "holds half of a surrogate pair; remove it") from error


def _check_nesting(text: str, field: str) -> None:
    depth, quoted, escaped = 0, False, False
    for character in text:
        if quoted:
            quoted = escaped or character != '"'
            escaped = not escaped and character == "\\"
        elif character == '"':
            quoted = True
        elif character in "[{":
            depth += 1
            if depth > NESTING_MAX:
                raise InvalidFieldError(
                    field, f"must nest JSON at most {NESTING_MAX} deep, goes deeper; flatten it"
                )
        elif character in "]}":
            depth -= 1


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 3] + "...")
