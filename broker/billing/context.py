"""The context of a bill: which days, whether more is to come, what was billed before."""

import re
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Final

from broker.billing.document import DECIMAL, shown
from broker.billing.fields import Fields
from broker.billing.price import Price
from broker.billing.usage import Split, parse_usage
from broker.errors import InvalidFieldError

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, kw_only=True)
class Days:
    """Calendar days from `first` up to, not including, `next_day`."""

    first: date
    next_day: date

    @property
    def count(self) -> int:
        """How many days; below 1 where the bounds are the wrong way round."""
        return (self.next_day - self.first).days


@dataclass(frozen=True, kw_only=True)
class BilledUsage:
    """Usage of the period that was billed before, to be rated under the same price."""

    splits: tuple[Split, ...]
    final: bool = False


@dataclass(frozen=True, kw_only=True)
class Context:
    """One billing run. `already_billed` is a net sum, or usage that is rated to get it.

    `share` is f, the active days ÷ days of the period; 1 where nothing is prorated.
    """

    share: Fraction = Fraction(1)
    final: bool = True
    already_billed: Fraction | BilledUsage | None = None


def parse_context(value: Any, path: str, price: Price) -> Context:
    """Read a context.

    Raises:
        InvalidFieldError: names the field.
    """
    fields = Fields(value, path, ("period", "active", "final", "already_billed"))
    period = _days(fields, "period") if fields.has("period") else None
    active = _days(fields, "active") if fields.has("active") else None
    if active is not None:
        _check_within(active, period, fields.path("active"))
    billed = None
    if fields.has("already_billed"):
        billed = _billed(fields.get("already_billed"), fields.path("already_billed"), price)
    return Context(
        share=_share(active, period),
        final=fields.flag("final", default=True),
        already_billed=billed,
    )


def _share(active: Days | None, period: Days | None) -> Fraction:
    if active is None or period is None:
        return Fraction(1)
    return Fraction(active.count, period.count)


def _days(fields: Fields, name: str) -> Days:
    inner = Fields(fields.get(name), fields.path(name), ("from", "to"))
    days = Days(first=_day(inner, "from"), next_day=_day(inner, "to"))
    if days.count < 1:
        raise InvalidFieldError(
            inner.path("to"),
            f"must be the day after the last, so after from ({days.first}), is {days.next_day}",
        )
    return days


def _day(fields: Fields, name: str) -> date:
    value = fields.required(name)
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise InvalidFieldError(
                fields.path(name), f"must be a day that exists, is {shown(value)} ({error})"
            ) from error
    raise InvalidFieldError(fields.path(name), f"must be a day YYYY-MM-DD, is {shown(value)}")


def _check_within(active: Days, period: Days | None, path: str) -> None:
    if period is None:
        raise InvalidFieldError(path, "needs a period to lie in; write context.period too")
    if active.first < period.first:
        raise InvalidFieldError(
            f"{path}.from", f"must not be before period.from ({period.first}), is {active.first}"
        )
    if active.first >= period.next_day:
        raise InvalidFieldError(
            f"{path}.from", f"must be before period.to ({period.next_day}), is {active.first}"
        )
    if active.next_day > period.next_day:
        raise InvalidFieldError(
            f"{path}.to", f"must not be after period.to ({period.next_day}), is {active.next_day}"
        )


def _billed(value: Any, path: str, price: Price) -> Fraction | BilledUsage:
    if isinstance(value, dict) and "amount" in value:
        fields = Fields(value, path, ("amount",))
        return _billed_amount(fields.get("amount"), fields.path("amount"), price)
    fields = Fields(value, path, ("usage", "final"))
    if not fields.has("usage"):
        raise InvalidFieldError(path, "must hold amount or usage; write one of the two")
    splits = parse_usage(fields.get("usage"), fields.path("usage"), price)
    return BilledUsage(splits=splits, final=fields.flag("final", default=False))


def _billed_amount(value: Any, path: str, price: Price) -> Fraction:
    if not isinstance(value, str) or not DECIMAL.fullmatch(value.removeprefix("-")):
        raise InvalidFieldError(
            path, f'must be a decimal in a string, e.g. "160" or "-1.50"; is {shown(value)}'
        )
    scale = price.rounding.scale
    if len(value.partition(".")[2]) > scale:
        raise InvalidFieldError(
            path, f"must have at most {scale} digits after the point, is {shown(value)}"
        )
    return Fraction(value)
