"""Rounding of exact amounts, and the digits of currencies, by the format of prices."""

from dataclasses import dataclass
from fractions import Fraction
from math import floor

_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"
_EXPONENTS = {
    **dict.fromkeys(_NO_DIGITS.split(), 0),
    **dict.fromkeys(_THREE_DIGITS.split(), 3),
    **dict.fromkeys(_FOUR_DIGITS.split(), 4),
}


@dataclass(frozen=True, slots=True)
class Rounding:
    """How a price rounds."""

    scope: str
    mode: str
    scale: int

    def rounded(self, value: Fraction, mode: str | None = None) -> Fraction:
        """To the price's scale."""
        return to_scale(value, mode or self.mode, self.scale)


def minor_digits(currency: str) -> int:
    """Digits of a currency's minor unit."""
    return _EXPONENTS.get(currency, 2)


def to_scale(value: Fraction, mode: str, digits: int) -> Fraction:
    """Round to `digits` after the point; `up`, `down` and `half_*` look at the size alone."""
    scaled = value * 10**digits
    down = floor(abs(scaled))
    rest = abs(scaled) - down
    half = Fraction(1, 2)
    away = {
        "half_even": rest > half or (rest == half and down % 2 == 1),
        "half_up": rest >= half,
        "half_down": rest > half,
        "up": rest > 0,
        "down": False,
        "ceiling": rest > 0 and scaled > 0,
        "floor": rest > 0 and scaled < 0,
    }[mode]
    size = down + away
    return Fraction(-size if scaled < 0 else size, 10**digits)
