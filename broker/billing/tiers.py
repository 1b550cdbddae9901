"""Tiers: ranges of a quantity, each with its prices. A bound belongs to the tier below it.

0 < x ≤ up_to[0],  up_to[0] < x ≤ up_to[1],  …,  up_to[n-2] < x
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from broker.billing.fields import Fields
from broker.billing.rounding import plain
from broker.errors import InvalidFieldError

TIERS_MAX: Final = 100


@dataclass(frozen=True, kw_only=True)
class Tier:
    """Quantities up to and including `up_to` (None: all that are left).

    With `block_size` a quantity counts as whole blocks of that size, rounded up.
    """

    up_to: Fraction | None
    unit_amount: Fraction
    flat_amount: Fraction
    block_size: Fraction | None


def parse_tiers(fields: Fields) -> tuple[Tier, ...]:
    """Read `tiers` of a graduated or volume price.

    Raises:
        InvalidFieldError: names the field.
    """
    return _rising(fields, fields.items("tiers", _tier, at_most=TIERS_MAX))


def parse_steps(fields: Fields) -> tuple[Tier, ...]:
    """Read `tiers` of a stairstep or capacity price: bounds with a flat amount, nothing else.

    Raises:
        InvalidFieldError: names the field.
    """
    return _rising(fields, fields.items("tiers", _step, at_most=TIERS_MAX))


def _tier(value: Any, path: str) -> Tier:
    fields = Fields(value, path, ("up_to", "unit_amount", "flat_amount", "block_size"))
    up_to = _up_to(fields)
    if not fields.has("unit_amount") and not fields.has("flat_amount"):
        raise InvalidFieldError(
            fields.path("unit_amount"),
            "is missing, and so is flat_amount; a tier needs one of the two",
        )
    return Tier(
        up_to=up_to,
        unit_amount=fields.decimal("unit_amount", "0"),
        flat_amount=fields.decimal("flat_amount", "0"),
        block_size=fields.optional("block_size", positive=True),
    )


def _step(value: Any, path: str) -> Tier:
    fields = Fields(value, path, ("up_to", "flat_amount"))
    return Tier(
        up_to=_up_to(fields),
        unit_amount=Fraction(0),
        flat_amount=fields.decimal("flat_amount"),
        block_size=None,
    )


def _up_to(fields: Fields) -> Fraction | None:
    fields.required("up_to")
    return fields.optional("up_to", positive=True)


def _rising(fields: Fields, tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    before = Fraction(0)
    last = len(tiers) - 1
    for i, tier in enumerate(tiers):
        path = f"{fields.path('tiers')}[{i}].up_to"
        if tier.up_to is None:
            if i < last:
                raise InvalidFieldError(path, "must be a bound, is null; only the last tier's is")
            continue
        if tier.up_to <= before:
            raise InvalidFieldError(
                path,
                f"must be above the tier before it ({plain(before)}), is {plain(tier.up_to)}; "
                "raise it or drop the tier",
            )
        if i == last:
            raise InvalidFieldError(
                path, f"must be null in the last tier, is {plain(tier.up_to)}; add an open tier"
            )
        before = tier.up_to
    return tiers
