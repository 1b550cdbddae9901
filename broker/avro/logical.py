"""Logical types: those whose attributes change what a value means.

A decimal with a wrong precision or scale is refused here, since decoders differ on it. Logical
types that do not fit their type are ignored, as the specification asks.
"""

import math
from typing import Any

from broker.avro.names import shown
from broker.avro.types import Fixed, Type
from broker.errors import InvalidFieldError

PRECISION_MAX = 1_000


def decimal(type_: Type) -> tuple[int, int] | None:
    """(precision, scale) of a decimal, else None."""
    if type_.logical != "decimal" or type_.kind not in ("bytes", "fixed"):
        return None
    return type_.attributes["precision"], type_.attributes.get("scale", 0)


def check_logical(type_: Type, place: str) -> None:
    """Pass a type whose logical type is sound.

    Raises:
        InvalidFieldError: a decimal's precision or scale is missing, no number, or does not fit.
    """
    if type_.logical != "decimal" or type_.kind not in ("bytes", "fixed"):
        return
    precision = _whole(type_, "precision", place)
    scale = _whole(type_, "scale", place) if "scale" in type_.attributes else 0
    if not 1 <= precision <= PRECISION_MAX:
        raise InvalidFieldError(
            f"{place}.precision", f"must be from 1 to {PRECISION_MAX}, is {precision}"
        )
    if not 0 <= scale <= precision:
        raise InvalidFieldError(
            f"{place}.scale", f"must be from 0 to the precision ({precision}), is {scale}"
        )
    if isinstance(type_, Fixed):
        digits = max(0, math.floor(math.log10(2) * (8 * type_.size_bytes - 1)))
        if precision > digits:
            raise InvalidFieldError(
                f"{place}.precision",
                f"{type_.size_bytes} bytes hold {digits} digits, is {precision}; enlarge the fixed",
            )


def _whole(type_: Type, key: str, place: str) -> int:
    value: Any = type_.attributes.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidFieldError(f"{place}.{key}", f"must be a whole number, is {shown(value)}")
    return value
