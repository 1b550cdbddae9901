"""Components of a price: one thing that is charged, how it is counted, how that becomes money.

    metered m ─conversion▶ c ─free units, minimum▶ billed quantity q ─charge▶ amount

Values only; `rate` turns usage into amounts, `amounts` holds the formula of each model.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from broker.billing.document import shown
from broker.billing.fields import Fields, as_object
from broker.billing.tiers import Tier, parse_steps, parse_tiers
from broker.errors import InvalidFieldError

METRICS: Final = ("records", "bytes", "GiB", "devices")
# Descriptions that the bill itself writes; a component of that name could not be told from them.
RESERVED_NAMES: Final = frozenset(
    {
        "maximum spend",
        "minimum commitment",
        "already billed",
        "rounding",
        "tax",
        "tax included in prices",
    }
)
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[ _-][a-z0-9]+)*")
_NAME_CHARS_MAX: Final = 40
_QUANTITY_FIELDS: Final = ("free_units", "minimum_quantity", "zero_usage_policy")
_METERED_FIELDS: Final = ("metric", "conversion", *_QUANTITY_FIELDS)


@dataclass(frozen=True, kw_only=True)
class Flat:
    """A fee per period, `prorated` by active days."""

    amount: Fraction
    prorated: bool


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Each unit at one price."""

    unit_amount: Fraction


@dataclass(frozen=True, kw_only=True)
class Package:
    """Whole packages; `rounding` says how a part of one counts (`none`: in proportion)."""

    size: Fraction
    amount: Fraction
    rounding: str


@dataclass(frozen=True, kw_only=True)
class Graduated:
    """Each unit at the price of the tier it falls into."""

    tiers: tuple[Tier, ...]


@dataclass(frozen=True, kw_only=True)
class Volume:
    """All units at the price of the tier the whole quantity reaches; steps are its flat amounts.

    `largest_split`: the quantity is the largest split's instead of the sum (capacity).
    """

    tiers: tuple[Tier, ...]
    largest_split: bool = False


@dataclass(frozen=True, kw_only=True)
class Percentage:
    """A share of reported money, transaction by transaction."""

    percentage: Fraction
    fixed_amount: Fraction
    free_events: int | None
    free_amount: Fraction | None
    minimum: Fraction | None
    maximum: Fraction | None

    @property
    def plain(self) -> bool:
        """Whether the sum of the transactions is all that counts."""
        free = self.free_events is not None or self.free_amount is not None
        clamped = self.minimum is not None or self.maximum is not None
        return not (self.fixed_amount or free or clamped)


@dataclass(frozen=True, kw_only=True)
class Dynamic:
    """Reported money times a factor."""

    multiplier: Fraction


Charge = Flat | Unit | Package | Graduated | Volume | Percentage | Dynamic


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """Metered units to billed units: divided, then rounded to whole ones unless `none`."""

    divide_by: Fraction
    rounding: str


@dataclass(frozen=True, kw_only=True)
class Component:
    """One line of the bill. `metric` is None where nothing is counted (flat)."""

    name: str
    model: str
    metric: str | None
    charge: Charge
    conversion: Conversion | None
    free_units: Fraction
    minimum_quantity: Fraction
    waive_zero: bool


def _flat(fields: Fields) -> Flat:
    prorated = fields.choice("proration", ("days", "none"), "days") == "days"
    return Flat(amount=fields.decimal("amount"), prorated=prorated)


def _unit(fields: Fields) -> Unit:
    return Unit(unit_amount=fields.decimal("unit_amount"))


def _package(fields: Fields) -> Package:
    return Package(
        size=fields.positive("package_size"),
        amount=fields.decimal("package_amount"),
        rounding=fields.choice("package_rounding", ("up", "down", "none"), "up"),
    )


def _graduated(fields: Fields) -> Graduated:
    return Graduated(tiers=parse_tiers(fields))


def _volume(fields: Fields) -> Volume:
    return Volume(tiers=parse_tiers(fields))


def _stairstep(fields: Fields) -> Volume:
    return Volume(tiers=parse_steps(fields))


def _capacity(fields: Fields) -> Volume:
    return Volume(tiers=parse_steps(fields), largest_split=True)


def _percentage(fields: Fields) -> Percentage:
    free_events = None if fields.get("free_events") is None else fields.integer("free_events")
    minimum = fields.optional("transaction_minimum")
    maximum = fields.optional("transaction_maximum")
    if minimum is not None and maximum is not None and maximum < minimum:
        raise InvalidFieldError(
            fields.path("transaction_maximum"),
            f"must not be below transaction_minimum ({fields.get('transaction_minimum')}), "
            f"is {fields.get('transaction_maximum')}",
        )
    return Percentage(
        percentage=fields.decimal("percentage"),
        fixed_amount=fields.decimal("fixed_amount", "0"),
        free_events=free_events,
        free_amount=fields.optional("free_amount"),
        minimum=minimum,
        maximum=maximum,
    )


def _dynamic(fields: Fields) -> Dynamic:
    return Dynamic(multiplier=fields.decimal("multiplier"))


@dataclass(frozen=True)
class _Model:
    own: tuple[str, ...]
    common: tuple[str, ...]
    metrics: tuple[str, ...]
    read: Callable[[Fields], Charge]


_PERCENTAGE_FIELDS: Final = (
    *("percentage", "fixed_amount", "free_events", "free_amount"),
    *("transaction_minimum", "transaction_maximum"),
)
_PACKAGE_FIELDS: Final = ("package_size", "package_amount", "package_rounding")
MODELS: Final = {
    "flat": _Model(("amount", "proration"), (), (), _flat),
    "unit": _Model(("unit_amount",), _METERED_FIELDS, METRICS, _unit),
    "package": _Model(_PACKAGE_FIELDS, _METERED_FIELDS, METRICS, _package),
    "graduated": _Model(("tiers",), _METERED_FIELDS, METRICS, _graduated),
    "volume": _Model(("tiers",), _METERED_FIELDS, METRICS, _volume),
    "stairstep": _Model(("tiers",), _METERED_FIELDS, METRICS, _stairstep),
    "capacity": _Model(("tiers",), _METERED_FIELDS, METRICS, _capacity),
    "percentage": _Model(
        _PERCENTAGE_FIELDS, ("metric", "zero_usage_policy"), ("amount",), _percentage
    ),
    "dynamic": _Model(("multiplier",), ("metric", *_QUANTITY_FIELDS), ("amount",), _dynamic),
}


def parse_component(value: Any, path: str, *, beside: tuple[str, ...] = ()) -> Component:
    """Read one component.

    Args:
        value: the object that holds it; the price itself where it is the only one.
        path: that object's path.
        beside: fields of the price that stand in the same object.

    Raises:
        InvalidFieldError: names the field.
    """
    # Which fields are allowed follows from the model, so it is read first, whatever stands beside.
    word = Fields(value, path, tuple(as_object(value, path))).choice("model", tuple(MODELS))
    model = MODELS[word]
    fields = Fields(value, path, ("model", "name", *model.own, *model.common, *beside))
    metric = _metric(fields, model)
    return Component(
        name=_name(fields, default=metric or "flat"),
        model=word,
        metric=metric,
        charge=model.read(fields),
        conversion=_conversion(fields),
        free_units=fields.decimal("free_units", "0"),
        minimum_quantity=fields.decimal("minimum_quantity", "0"),
        waive_zero=fields.choice("zero_usage_policy", ("bill", "waive"), "bill") == "waive",
    )


def _metric(fields: Fields, model: _Model) -> str | None:
    if not model.metrics:
        return None
    default = model.metrics[0] if len(model.metrics) == 1 else None
    return fields.choice("metric", model.metrics, default)


def _name(fields: Fields, *, default: str) -> str:
    if not fields.has("name"):
        return default
    name = fields.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _NAME_CHARS_MAX:
        raise InvalidFieldError(
            fields.path("name"),
            f"must be lower-case words of at most {_NAME_CHARS_MAX} characters in all, "
            f"is {shown(name)}",
        )
    if name in RESERVED_NAMES:
        raise InvalidFieldError(
            fields.path("name"), f"must not be {shown(name)}, a line of the bill; choose another"
        )
    return name


def _conversion(fields: Fields) -> Conversion | None:
    if not fields.has("conversion"):
        return None
    inner = Fields(fields.get("conversion"), fields.path("conversion"), ("divide_by", "round"))
    modes = ("none", "up", "down", "half_up", "half_even")
    return Conversion(
        divide_by=inner.positive("divide_by"), rounding=inner.choice("round", modes, "none")
    )
