"""Amounts: the formula of each model, exact; only `tier` rounds, and only where scope says tier.

`Round` is the price's rounding at its scale, or the identity.
"""

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor

from broker.billing.component import Component
from broker.billing.models import Dynamic, Flat, Graduated, Package, Percentage, Unit, Volume
from broker.billing.rounding import round_whole
from broker.billing.tiers import Tier
from broker.billing.usage import Split

Round = Callable[[Fraction], Fraction]
_ZERO = Fraction(0)


def billed_quantity(component: Component, metered: Fraction) -> Fraction:
    """The billed quantity: max(converted - free units, minimum quantity, 0)."""
    converted = metered
    if component.conversion is not None:
        converted = metered / component.conversion.divide_by
        if component.conversion.rounding != "none":
            converted = Fraction(round_whole(converted, component.conversion.rounding))
    return max(converted - component.free_units, component.minimum_quantity, _ZERO)


def amount(  # noqa: PLR0911  one return per model
    component: Component, q: Fraction, split: Split, share: Fraction, tier: Round
) -> Fraction:
    """The amount of one component for the billed quantity `q`, not rounded but by `tier`.

    Args:
        component: what is charged.
        q: its billed quantity; a percentage takes the split's transactions instead.
        split: the usage it comes from.
        share: f, the share of the period that was active.
        tier: rounds each tier's amount.
    """
    match component.charge:
        case Flat(amount=fee, prorated=prorated):
            return fee * share if prorated else fee
        case Unit(unit_amount=unit_amount):
            return q * unit_amount
        case Package() as package:
            return _packages(q, package) * package.amount
        case Graduated(tiers=tiers):
            return _graduated(q, tiers, tier)
        case Volume(tiers=tiers):
            return _volume(q, tiers, tier)
        case Percentage() as percentage:
            return _percentage(split, percentage)
        case Dynamic(multiplier=multiplier):
            return q * multiplier


def _packages(q: Fraction, package: Package) -> Fraction:
    count = q / package.size
    match package.rounding:
        case "up":
            return Fraction(ceil(count))
        case "down":
            return Fraction(floor(count))
    return count


def _tier_amount(tier: Tier, quantity: Fraction) -> Fraction:
    units = quantity if tier.block_size is None else Fraction(ceil(quantity / tier.block_size))
    return units * tier.unit_amount + tier.flat_amount


def _graduated(q: Fraction, tiers: tuple[Tier, ...], tier_round: Round) -> Fraction:
    total, below = _ZERO, _ZERO
    for i, tier in enumerate(tiers):
        if i > 0 and q <= below:
            break
        top = q if tier.up_to is None else min(q, tier.up_to)
        total += tier_round(_tier_amount(tier, top - below))
        below = top if tier.up_to is None else tier.up_to
    return total


def _volume(q: Fraction, tiers: tuple[Tier, ...], tier_round: Round) -> Fraction:
    reached = next(tier for tier in tiers if tier.up_to is None or q <= tier.up_to)
    return tier_round(_tier_amount(reached, q))


def _percentage(split: Split, charge: Percentage) -> Fraction:
    if charge.plain:
        return split.money() * charge.percentage / 100
    values = split.transactions or ()
    limit = _free_limit(values, charge)
    total, before = _ZERO, _ZERO
    for i, value in enumerate(values, start=1):
        running = before + value
        if not _is_free(i, running, limit, charge):
            free_part = _ZERO if limit is None else min(running, limit) - min(before, limit)
            fee = (value - free_part) * charge.percentage / 100 + charge.fixed_amount
            if charge.minimum is not None:
                fee = max(fee, charge.minimum)
            if charge.maximum is not None:
                fee = min(fee, charge.maximum)
            total += fee
        before = running
    return total


def _free_limit(values: tuple[Fraction, ...], charge: Percentage) -> Fraction | None:
    limits = []
    if charge.free_events is not None:
        limits.append(sum(values[: charge.free_events], _ZERO))
    if charge.free_amount is not None:
        limits.append(charge.free_amount)
    return min(limits, default=None)


def _is_free(number: int, running: Fraction, limit: Fraction | None, charge: Percentage) -> bool:
    if limit is None or running > limit:
        return False
    return charge.free_events is None or number <= charge.free_events
