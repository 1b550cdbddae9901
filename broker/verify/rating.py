"""Rating: a price document and usage to the lines of a bill, by the format of prices (docs).

The recount's own reading of it, for what can be invoiced: models flat, unit, package, graduated and
volume over records, bytes and GiB. Arithmetic is rational; only `to_scale` rounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any, NamedTuple

from broker.verify.rounding import Rounding, minor_digits, to_scale

_SHOWN_DIGITS = 12


class Usage(NamedTuple):
    """Of one split: records and bytes delivered."""

    records: int
    billed_bytes: int


class Line(NamedTuple):
    """One line. `quantity` is the billed one, 1 where nothing is counted."""

    description: str
    quantity: Fraction
    amount: Fraction


@dataclass(frozen=True, slots=True)
class Bill:
    """Lines that add up to `total`. `subtotal`: before what was already billed, and before tax."""

    lines: tuple[Line, ...]
    subtotal: Fraction
    net: Fraction
    tax: Fraction
    total: Fraction


def rate(
    price: Mapping[str, Any],
    splits: Sequence[Usage],
    *,
    share: Fraction = Fraction(1),
    final: bool = True,
    already_billed: Fraction | None = None,
) -> Bill:
    """Rate one period.

    Args:
        price: the document.
        splits: its usage, in order.
        share: f, active days by days of the period.
        final: nothing more of the period is to come.
        already_billed: the net sum billed of it before, None where there was no bill.
    """
    rounding = _rounding(price)
    lines, exact = _metered_lines(price, splits, rounding, share, final=final)
    subtotal = rounding.rounded(exact)
    net = subtotal
    if already_billed is not None:
        lines.append(Line("already billed", Fraction(1), -already_billed))
        net -= already_billed
    if rounding.scope == "invoice":
        lines = _shown(lines, net, rounding)
    return _taxed(price, lines, subtotal, net, rounding)


def _rounding(price: Mapping[str, Any]) -> Rounding:
    rules = price.get("rounding") or {}
    return Rounding(
        rules.get("scope", "line"),
        rules.get("mode", "half_even"),
        int(rules.get("scale", minor_digits(price["currency"]))),
    )


def _metered_lines(
    price: Mapping[str, Any],
    splits: Sequence[Usage],
    rounding: Rounding,
    share: Fraction,
    *,
    final: bool,
) -> tuple[list[Line], Fraction]:
    """Steps 1 to 3 of a bill, and their exact sum."""
    separate = price.get("splits") == "separate"
    lines = [
        _component(component, splits, rounding, share, separate=separate)
        for component in price.get("components") or [price]
    ]
    exact = sum((line.amount for line in lines), Fraction(0))
    if price.get("maximum_spend") is not None:
        most = rounding.rounded(Fraction(price["maximum_spend"]))
        if exact > most:
            lines.append(Line("maximum spend", Fraction(1), most - exact))
            exact = most
    commitment = price.get("minimum_commitment")
    if commitment and final:
        prorated = commitment.get("proration", "days") == "days"
        least = rounding.rounded(Fraction(commitment["amount"]) * (share if prorated else 1))
        if exact < least:
            lines.append(Line("minimum commitment", Fraction(1), least - exact))
            exact = least
    return lines, exact


def _component(
    component: Mapping[str, Any],
    splits: Sequence[Usage],
    rounding: Rounding,
    share: Fraction,
    *,
    separate: bool,
) -> Line:
    model = component["model"]
    name = component.get("name") or component.get("metric") or "flat"
    if model == "flat":
        prorated = component.get("proration", "days") == "days"
        fee = Fraction(component["amount"]) * (share if prorated else 1)
        return Line(name, Fraction(1), _at_line(fee, rounding))
    if not separate:
        splits = [Usage(sum(s.records for s in splits), sum(s.billed_bytes for s in splits))]
    quantity = amount = Fraction(0)
    for split in splits:
        metered = _metered(component["metric"], split)
        if component.get("zero_usage_policy") == "waive" and not metered:
            continue
        q = _billed_quantity(component, metered)
        quantity += q
        amount += _at_line(_amount(component, q, rounding), rounding)
    return Line(name, quantity, amount)


def _metered(metric: str, usage: Usage) -> Fraction:
    if metric == "records":
        return Fraction(usage.records)
    return Fraction(usage.billed_bytes, 2**30 if metric == "GiB" else 1)


def _billed_quantity(component: Mapping[str, Any], metered: Fraction) -> Fraction:
    conversion = component.get("conversion")
    if conversion:
        metered /= Fraction(conversion["divide_by"])
        if conversion.get("round", "none") != "none":
            metered = to_scale(metered, conversion["round"], 0)
    free = Fraction(component.get("free_units", "0"))
    least = Fraction(component.get("minimum_quantity", "0"))
    return max(metered - free, least, Fraction(0))


def _amount(component: Mapping[str, Any], q: Fraction, rounding: Rounding) -> Fraction:
    match component["model"]:
        case "unit":
            return q * Fraction(component["unit_amount"])
        case "package":
            count = q / Fraction(component["package_size"])
            how = component.get("package_rounding", "up")
            if how != "none":
                count = Fraction(ceil(count) if how == "up" else floor(count))
            return count * Fraction(component["package_amount"])
        case "graduated":
            return _graduated(component["tiers"], q, rounding)
        case "volume":
            tier = next(t for t in component["tiers"] if _bound(t) is None or q <= _bound(t))
            return _tier(tier, q, rounding)
    raise ValueError(f"model {component['model']}: plans cannot be invoiced by it")


def _graduated(tiers: Sequence[Mapping[str, Any]], q: Fraction, rounding: Rounding) -> Fraction:
    amount = below = Fraction(0)
    for tier in tiers:
        bound = _bound(tier)
        upper = q if bound is None else min(q, bound)
        amount += _tier(tier, upper - below, rounding)
        if bound is None or q <= bound:
            break
        below = bound
    return amount


def _bound(tier: Mapping[str, Any]) -> Any:
    return None if tier["up_to"] is None else Fraction(tier["up_to"])


def _tier(tier: Mapping[str, Any], x: Fraction, rounding: Rounding) -> Fraction:
    if tier.get("block_size") is not None:
        x = Fraction(ceil(x / Fraction(tier["block_size"])))
    amount = x * Fraction(tier.get("unit_amount", "0")) + Fraction(tier.get("flat_amount", "0"))
    return rounding.rounded(amount) if rounding.scope == "tier" else amount


def _at_line(amount: Fraction, rounding: Rounding) -> Fraction:
    return amount if rounding.scope == "invoice" else rounding.rounded(amount)


def _shown(lines: Sequence[Line], net: Fraction, rounding: Rounding) -> list[Line]:
    shown = [
        line._replace(amount=to_scale(line.amount, rounding.mode, _SHOWN_DIGITS)) for line in lines
    ]
    rest = net - sum((line.amount for line in shown), Fraction(0))
    return [*shown, Line("rounding", Fraction(1), rest)] if rest else shown


def _taxed(
    price: Mapping[str, Any],
    lines: list[Line],
    subtotal: Fraction,
    net: Fraction,
    rounding: Rounding,
) -> Bill:
    rule = price.get("tax")
    if not rule:
        return Bill(tuple(lines), subtotal, net, Fraction(0), net)
    inclusive = rule["mode"] == "inclusive"
    percentage = Fraction(rule["percentage"])
    part = percentage / (100 + percentage if inclusive else 100)
    bases = [line.amount for line in lines] if rule.get("scope") == "line" else [net]
    tax = sum((rounding.rounded(base * part, rule.get("rounding")) for base in bases), Fraction(0))
    if inclusive:
        lines.append(Line("tax included in prices", Fraction(1), -tax))
    lines.append(Line("tax", Fraction(1), tax))
    if inclusive:
        return Bill(tuple(lines), subtotal, net - tax, tax, net)
    return Bill(tuple(lines), subtotal, net, tax, net + tax)
