"""Limits: what a type may weigh before a decoder meets it. Refused at registration.

fastavro recurses in C without a bound and believes the item counts in the data: an array of nulls
turns five bytes into gigabytes, a deep or self-containing type ends the process. The limits on the
text itself stand in `strict_json`.
"""

from broker.avro.types import Array, Fixed, Map, Record, Type, Union
from broker.errors import InvalidFieldError

NESTING_MAX = 32
FIELDS_MAX = 1_000
FIXED_BYTES_MAX = 1024 * 1024
BRANCHES_MAX = 200
# An item of one byte must not become a thousand values: 10 kB of body came to 268 MB.
EMPTY_FIELDS_MAX = 4


def check_limits(type_: Type, place: str) -> None:
    """Pass a type whose parts have passed already.

    Raises:
        InvalidFieldError: names the place of the type in the schema.
    """
    if type_.nesting > NESTING_MAX:
        raise InvalidFieldError(
            place,
            f"must nest records, arrays, maps and unions at most {NESTING_MAX} deep, "
            f"nests {type_.nesting}; flatten it",
        )
    if type_.field_count > FIELDS_MAX:
        raise InvalidFieldError(
            place,
            f"must come to at most {FIELDS_MAX} fields, every use of a named type counted, "
            f"comes to {type_.field_count}; split it",
        )
    match type_:
        case Array(items=items):
            _check_item(items, "an array", f"{place}.items")
        case Map(values=values):
            _check_item(values, "a map", f"{place}.values")
        case Fixed(size_bytes=size_bytes) if size_bytes > FIXED_BYTES_MAX:
            raise InvalidFieldError(
                f"{place}.size", f"must be at most {FIXED_BYTES_MAX}, is {size_bytes}; use bytes"
            )
        case Union(branches=branches) if len(branches) > BRANCHES_MAX:
            raise InvalidFieldError(
                place, f"must have at most {BRANCHES_MAX} types, has {len(branches)}; split it"
            )
        case _:
            return


def _check_item(item: Type, container: str, place: str) -> None:
    if item.zero_bytes:
        raise InvalidFieldError(place, _zero_bytes(container, item))
    if item.empty_fields > EMPTY_FIELDS_MAX:
        raise InvalidFieldError(
            place,
            f"must have at most {EMPTY_FIELDS_MAX} fields that encode to nothing (nulls, records "
            f"of nulls), has {item.empty_fields}: a few bytes would become many values in "
            f"{container}; leave them out",
        )


def _zero_bytes(container: str, item: Type) -> str:
    kind = "null" if item.kind == "null" else f"a {item.kind} without content"
    if isinstance(item, Record) and item.fields:
        kind = "a record of nothing but nulls"
    return (
        f"is {kind}, which encodes to zero bytes: a few bytes could claim billions of them in "
        f"{container}; use a type with content, or a count"
    )
