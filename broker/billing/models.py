"""Models: how a billed quantity becomes money, one value a model, and how each is read.

Values only; `amounts` holds their formulas. Every reader raises `InvalidFieldError`.
"""

from dataclasses import dataclass
from fractions import Fraction

from broker.billing.fields import Fields
from broker.billing.tiers import Tier, parse_steps, parse_tiers
from broker.errors import InvalidFieldError


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


def read_flat(fields: Fields) -> Flat:
    """Read `amount`, `proration`."""
    prorated = fields.choice("proration", ("days", "none"), "days") == "days"
    return Flat(amount=fields.decimal("amount"), prorated=prorated)


def read_unit(fields: Fields) -> Unit:
    """Read `unit_amount`."""
    return Unit(unit_amount=fields.decimal("unit_amount"))


def read_package(fields: Fields) -> Package:
    """Read `package_size`, `package_amount`, `package_rounding`."""
    return Package(
        size=fields.positive("package_size"),
        amount=fields.decimal("package_amount"),
        rounding=fields.choice("package_rounding", ("up", "down", "none"), "up"),
    )


def read_graduated(fields: Fields) -> Graduated:
    """Read `tiers`, each unit in its own."""
    return Graduated(tiers=parse_tiers(fields))


def read_volume(fields: Fields) -> Volume:
    """Read `tiers`, all units in the one that is reached."""
    return Volume(tiers=parse_tiers(fields))


def read_stairstep(fields: Fields) -> Volume:
    """Read `tiers` of flat amounts."""
    return Volume(tiers=parse_steps(fields))


def read_capacity(fields: Fields) -> Volume:
    """Read `tiers` of flat amounts, for the largest split."""
    return Volume(tiers=parse_steps(fields), largest_split=True)


def read_percentage(fields: Fields) -> Percentage:
    """Read shares, allowances and bounds."""
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


def read_dynamic(fields: Fields) -> Dynamic:
    """Read `multiplier`."""
    return Dynamic(multiplier=fields.decimal("multiplier"))
