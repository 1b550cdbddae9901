"""Rounding of exact values, and how they are written. Nothing here knows a price."""

from fractions import Fraction
from math import ceil, floor
from typing import Final

MODES: Final = ("half_even", "half_up", "half_down", "up", "down", "ceiling", "floor")
_HALF: Final = Fraction(1, 2)


def round_whole(value: Fraction, mode: str) -> int:
    """Round to a whole number.

    `half_up`, `half_down`, `up` and `down` count away from and towards zero; `ceiling` and `floor`
    towards plus and minus infinity.

    Raises:
        ValueError: there is no such mode.
    """
    match mode:
        case "half_even":
            return round(value)
        case "ceiling":
            return ceil(value)
        case "floor":
            return floor(value)
    size = abs(value)
    match mode:
        case "half_up":
            whole = floor(size + _HALF)
        case "half_down":
            whole = ceil(size - _HALF)
        case "up":
            whole = ceil(size)
        case "down":
            whole = floor(size)
        case _:
            raise ValueError(f"rounding mode {mode}: must be one of {', '.join(MODES)}")
    return -whole if value < 0 else whole


def round_to(value: Fraction, mode: str, scale: int) -> Fraction:
    """Round to `scale` digits after the point."""
    return Fraction(round_whole(value * 10**scale, mode), 10**scale)


def plain(value: Fraction, *, at_least: int = 0, at_most: int = 18) -> str:
    """The value as a plain decimal with `at_least` digits after the point.

    A value with more than `at_most` digits is shown rounded to that many (half to even).
    """
    units = round(value * 10**at_most)
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).rjust(at_most + 1, "0")
    whole, part = digits[: len(digits) - at_most], digits[len(digits) - at_most :]
    part = part.rstrip("0").ljust(at_least, "0")
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"
