"""Rounding against Python's decimal module, which shares no code with ours."""

import decimal
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.billing.rounding import MODES, plain, round_to, round_whole

DECIMAL_MODES = {
    "half_even": decimal.ROUND_HALF_EVEN,
    "half_up": decimal.ROUND_HALF_UP,
    "half_down": decimal.ROUND_HALF_DOWN,
    "up": decimal.ROUND_UP,
    "down": decimal.ROUND_DOWN,
    "ceiling": decimal.ROUND_CEILING,
    "floor": decimal.ROUND_FLOOR,
}
DECIMALS = st.decimals(min_value=-(10**9), max_value=10**9, places=4)


@settings(deadline=None)  # a busy machine is no failure
@given(value=DECIMALS, mode=st.sampled_from(MODES), scale=st.integers(0, 6))
def test_rounds_as_decimal_does(value: Decimal, mode: str, scale: int) -> None:
    """Every mode rounds as the decimal module's, below zero too."""
    expected = value.quantize(Decimal(1).scaleb(-scale), rounding=DECIMAL_MODES[mode])
    assert round_to(Fraction(value), mode, scale) == Fraction(expected)


def test_unknown_mode() -> None:
    """A mode that does not exist is an error, not some default."""
    with pytest.raises(ValueError, match="bankers"):
        round_whole(Fraction(1, 2), "bankers")


@settings(deadline=None)  # a busy machine is no failure
@given(value=DECIMALS, at_least=st.integers(0, 4))
def test_plain_is_the_value(value: Decimal, at_least: int) -> None:
    """What is written reads back as the value, without exponent, with the digits asked for."""
    text = plain(Fraction(value), at_least=at_least)
    assert Decimal(text) == value
    assert len(text.partition(".")[2]) >= at_least
    assert "E" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 3), "0.333333333333333333"),
        (Fraction(-1, 3), "-0.333333333333333333"),
        (Fraction(-1, 10**30), "0.00"),  # no minus before a zero
        (Fraction(10**30), "1000000000000000000000000000000.00"),
    ],
)
def test_plain_edges(value: Fraction, text: str) -> None:
    """Thirds end at 18 digits; nothing shows as minus zero."""
    at_least = 2 if text.endswith("00") else 0
    assert plain(value, at_least=at_least) == text
