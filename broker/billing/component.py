"""Components of a price: one thing that is charged, how it is counted, how that becomes money.

    metered m ─conversion▶ c ─free units, minimum▶ billed quantity q ─charge▶ amount

Values only; `amounts` turns quantities into money, `models` holds what a price may say.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from broker.billing.document import shown
from broker.billing.fields import Fields, as_object
from broker.billing.models import (
    Charge,
    read_capacity,
    read_dynamic,
    read_flat,
    read_graduated,
    read_package,
    read_percentage,
    read_stairstep,
    read_unit,
    read_volume,
)
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
    "flat": _Model(("amount", "proration"), (), (), read_flat),
    "unit": _Model(("unit_amount",), _METERED_FIELDS, METRICS, read_unit),
    "package": _Model(_PACKAGE_FIELDS, _METERED_FIELDS, METRICS, read_package),
    "graduated": _Model(("tiers",), _METERED_FIELDS, METRICS, read_graduated),
    "volume": _Model(("tiers",), _METERED_FIELDS, METRICS, read_volume),
    "stairstep": _Model(("tiers",), _METERED_FIELDS, METRICS, read_stairstep),
    "capacity": _Model(("tiers",), _METERED_FIELDS, METRICS, read_capacity),
    "percentage": _Model(
        _PERCENTAGE_FIELDS, ("metric", "zero_usage_policy"), ("amount",), read_percentage
    ),
    "dynamic": _Model(("multiplier",), ("metric", *_QUANTITY_FIELDS), ("amount",), read_dynamic),
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
