"""Rate: a price and usage to a bill. Exact rational arithmetic; rounded only where the format says.

    1 components ▶ 2 maximum spend ▶ 3 minimum commitment ▶ 4 already billed ▶ 5 rounding ▶ 6 tax

Reads no clock and no store. `weir verify` recounts bills without this module.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from broker.billing.amounts import amount, billed_quantity
from broker.billing.component import Component
from broker.billing.context import BilledUsage, Context
from broker.billing.models import Flat, Percentage, Volume
from broker.billing.price import Price
from broker.billing.rounding import round_to
from broker.billing.usage import Split, joined

SHOWN_SCALE: Final = 12
_ZERO: Final = Fraction(0)
_ONE: Final = Fraction(1)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a bill. `quantity` is the billed one, 1 where nothing is counted."""

    description: str
    quantity: Fraction
    amount: Fraction


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What is owed; the lines add up to `total`, exactly.

    `net` is the sum without tax, whether tax is on top or contained; net + tax = total.
    `subtotal` is the S of steps 1 to 3, rounded, to pass as `already_billed` next time: it is
    before tax for exclusive prices and contains it for inclusive ones.
    """

    lines: tuple[Line, ...]
    subtotal: Fraction
    net: Fraction
    tax: Fraction
    total: Fraction
    currency: str
    scale: int


def rate(price: Price, splits: tuple[Split, ...], context: Context) -> Bill:
    """Rate the usage of one period.

    Args:
        price: as `parse_price` reads it.
        splits: as `parse_usage` reads it for this price; empty where the price counts nothing.
        context: the days, whether the period is over, what was billed before.
    """
    lines, exact = _before_billed(price, splits, context.share, final=context.final)
    subtotal = _rounded(price, exact)
    total = subtotal
    if context.already_billed is not None:
        billed = _already_billed(price, context)
        lines.append(Line(description="already billed", quantity=_ONE, amount=-billed))
        total -= billed
    if price.rounding.scope == "invoice":
        lines = _shown(price, lines, total)
    tax = _tax(price, lines, total)
    net = total
    if price.tax is not None:
        if price.tax.inclusive:
            net -= tax
            lines.append(Line(description="tax included in prices", quantity=_ONE, amount=-tax))
        else:
            total += tax
        lines.append(Line(description="tax", quantity=_ONE, amount=tax))
    return Bill(
        lines=tuple(lines),
        subtotal=subtotal,
        net=net,
        tax=tax,
        total=total,
        currency=price.currency,
        scale=price.rounding.scale,
    )


def _rounded(price: Price, value: Fraction) -> Fraction:
    return round_to(value, price.rounding.mode, price.rounding.scale)


def _before_billed(
    price: Price, splits: tuple[Split, ...], share: Fraction, *, final: bool
) -> tuple[list[Line], Fraction]:
    """Steps 1 to 3: the lines and their sum S, rounded only as the scope says."""
    lines = [_component_line(price, component, splits, share) for component in price.components]
    total = sum((line.amount for line in lines), _ZERO)
    if price.maximum_spend is not None:
        most = _rounded(price, price.maximum_spend)
        if total > most:
            lines.append(Line(description="maximum spend", quantity=_ONE, amount=most - total))
            total = most
    commitment = price.minimum_commitment
    if commitment is not None and final:
        least = _rounded(price, commitment.amount * (share if commitment.prorated else _ONE))
        if total < least:
            lines.append(
                Line(description="minimum commitment", quantity=_ONE, amount=least - total)
            )
            total = least
    return lines, total


def _component_line(
    price: Price, component: Component, splits: tuple[Split, ...], share: Fraction
) -> Line:
    if isinstance(component.charge, Flat):
        fee = amount(component, _ONE, Split(), share, lambda value: value)
        return _line(price, component, _ONE, fee)
    if price.separate:
        parts = [
            _part(price, component, split, split.metered(component.metric or ""))
            for split in splits
        ]
        return Line(
            description=component.name,
            quantity=sum((part.quantity for part in parts), _ZERO),
            amount=sum((part.amount for part in parts), _ZERO),
        )
    metric = component.metric or ""
    whole = joined(splits)
    if isinstance(component.charge, Volume) and component.charge.largest_split:
        metered = max(split.metered(metric) for split in splits)
    else:
        metered = whole.metered(metric)
    return _part(price, component, whole, metered)


def _part(price: Price, component: Component, split: Split, metered: Fraction) -> Line:
    """One component's line for one quantity, rounded as the scope says."""
    if component.waive_zero and metered == 0:
        return Line(description=component.name, quantity=_ZERO, amount=_ZERO)
    q = metered
    if not isinstance(component.charge, Percentage):
        q = billed_quantity(component, metered)
    by_tier = price.rounding.scope == "tier"
    fee = amount(
        component, q, split, _ONE, lambda value: _rounded(price, value) if by_tier else value
    )
    return _line(price, component, q, fee)


def _line(price: Price, component: Component, quantity: Fraction, fee: Fraction) -> Line:
    whole_sum_later = price.rounding.scope == "invoice"
    return Line(
        description=component.name,
        quantity=quantity,
        amount=fee if whole_sum_later else _rounded(price, fee),
    )


def _already_billed(price: Price, context: Context) -> Fraction:
    billed = context.already_billed
    if isinstance(billed, BilledUsage):
        _, exact = _before_billed(price, billed.splits, context.share, final=billed.final)
        return _rounded(price, exact)
    return billed or _ZERO


def _shown(price: Price, lines: list[Line], total: Fraction) -> list[Line]:
    """Lines to 12 places, and one that carries what this and rounding the sum left over."""
    shown = [
        Line(
            description=line.description,
            quantity=line.quantity,
            amount=round_to(line.amount, price.rounding.mode, SHOWN_SCALE),
        )
        for line in lines
    ]
    rest = total - sum((line.amount for line in shown), _ZERO)
    if rest != 0:
        shown.append(Line(description="rounding", quantity=_ONE, amount=rest))
    return shown


def _tax(price: Price, lines: list[Line], total: Fraction) -> Fraction:
    tax = price.tax
    if tax is None:
        return _ZERO
    share = tax.percentage / ((100 + tax.percentage) if tax.inclusive else 100)
    taxed = [line.amount for line in lines] if tax.per_line else [total]
    return sum(
        (round_to(value * share, tax.rounding, price.rounding.scale) for value in taxed), _ZERO
    )
