"""Prices: what a plan costs, read from JSON into a frozen value.

    price ── components: 1 to 32, each a line of the bill
          ── rounding, minimum commitment, maximum spend, tax

The format is docs/billing.md. Reading is strict: an unknown field, a float, a digit of another
alphabet or a bound out of order is refused, by the field's name from the top.
"""

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from broker.billing import currency
from broker.billing.component import Component, parse_component
from broker.billing.document import shown
from broker.billing.fields import Fields, as_object
from broker.billing.rounding import MODES
from broker.errors import InvalidFieldError

COMPONENTS_MAX: Final = 32
SCALE_MAX: Final = 12
_OWN: Final = (
    *("currency", "rounding", "splits"),
    *("minimum_commitment", "maximum_spend", "tax"),
)


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """Where (`line`, `tier`, `invoice`), how, and to how many digits amounts are rounded."""

    scope: str
    mode: str
    scale: int


@dataclass(frozen=True, kw_only=True)
class MinimumCommitment:
    """What a final bill comes to at least, before tax; `prorated` by active days."""

    amount: Fraction
    prorated: bool


@dataclass(frozen=True, kw_only=True)
class Tax:
    """A share of the net sum, on top of it or `inclusive` in it, rounded once or `per_line`."""

    inclusive: bool
    percentage: Fraction
    per_line: bool
    rounding: str


@dataclass(frozen=True, kw_only=True)
class Price:
    """A whole price. `paths` names each component's place, for errors that come later."""

    currency: str
    components: tuple[Component, ...]
    paths: tuple[str, ...]
    rounding: Rounding
    separate: bool
    minimum_commitment: MinimumCommitment | None
    maximum_spend: Fraction | None
    tax: Tax | None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that usage must hold, GiB as the bytes it is made of, each once."""
        used = (c.metric for c in self.components if c.metric is not None)
        return tuple(dict.fromkeys("bytes" if metric == "GiB" else metric for metric in used))


def parse_price(value: Any, path: str = "price") -> Price:
    """Read a price from parsed JSON.

    Args:
        value: as `read_json` gives it; what `json.loads` gives is read too.
        path: the price's own name, with which every field in an error begins.

    Raises:
        InvalidFieldError: names the field, the rule and the value.
    """
    if "components" in as_object(value, path):
        fields = Fields(value, path, (*_OWN, "components"))
        code = _currency(fields)
        components = fields.items("components", parse_component, at_most=COMPONENTS_MAX)
        paths = tuple(f"{path}.components[{i}]" for i in range(len(components)))
    else:
        components = (parse_component(value, path, beside=_OWN),)
        paths = (path,)
        fields = Fields(value, path, tuple(as_object(value, path)))
        code = _currency(fields)
    _unique(components, paths)
    rounding = _rounding(fields, code)
    minimum = _minimum_commitment(fields)
    return Price(
        currency=code,
        components=components,
        paths=paths,
        rounding=rounding,
        separate=fields.choice("splits", ("cumulative", "separate"), "cumulative") == "separate",
        minimum_commitment=minimum,
        maximum_spend=_maximum_spend(fields, minimum),
        tax=_tax(fields, rounding),
    )


def _currency(fields: Fields) -> str:
    code = fields.required("currency")
    if not isinstance(code, str) or code not in currency.CODES:
        raise InvalidFieldError(
            fields.path("currency"), f'must be an ISO 4217 code, e.g. "EUR"; is {shown(code)}'
        )
    return code


def _unique(components: tuple[Component, ...], paths: tuple[str, ...]) -> None:
    taken: dict[str, str] = {}
    for component, path in zip(components, paths, strict=True):
        other = taken.setdefault(component.name, path)
        if other != path:
            raise InvalidFieldError(
                f"{path}.name",
                f"must be unique, {shown(component.name)} is the name of {other}; choose another",
            )


def _inner(fields: Fields, name: str, allowed: Collection[str]) -> Fields | None:
    if not fields.has(name):
        return None
    return Fields(fields.get(name), fields.path(name), allowed)


def _rounding(fields: Fields, code: str) -> Rounding:
    default = currency.exponent(code)
    inner = _inner(fields, "rounding", ("scope", "mode", "scale"))
    if inner is None:
        return Rounding(scope="line", mode="half_even", scale=default)
    scale = inner.integer("scale", at_most=SCALE_MAX)
    return Rounding(
        scope=inner.choice("scope", ("line", "tier", "invoice"), "line"),
        mode=inner.choice("mode", MODES, "half_even"),
        scale=default if scale is None else scale,
    )


def _minimum_commitment(fields: Fields) -> MinimumCommitment | None:
    inner = _inner(fields, "minimum_commitment", ("amount", "proration"))
    if inner is None:
        return None
    prorated = inner.choice("proration", ("days", "none"), "days") == "days"
    return MinimumCommitment(amount=inner.decimal("amount"), prorated=prorated)


def _maximum_spend(fields: Fields, minimum: MinimumCommitment | None) -> Fraction | None:
    maximum = fields.optional("maximum_spend")
    if maximum is not None and minimum is not None and maximum < minimum.amount:
        raise InvalidFieldError(
            fields.path("maximum_spend"),
            "must not be below minimum_commitment.amount, "
            f"is {fields.get('maximum_spend')}; raise it or lower the commitment",
        )
    return maximum


def _tax(fields: Fields, rounding: Rounding) -> Tax | None:
    inner = _inner(fields, "tax", ("mode", "percentage", "scope", "rounding"))
    if inner is None:
        return None
    return Tax(
        inclusive=inner.choice("mode", ("exclusive", "inclusive")) == "inclusive",
        percentage=inner.decimal("percentage"),
        per_line=inner.choice("scope", ("invoice", "line"), "invoice") == "line",
        rounding=inner.choice("rounding", MODES, rounding.mode),
    )
