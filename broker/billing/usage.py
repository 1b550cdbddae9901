"""Usage: what was delivered in a period, as one split or several in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from broker.billing.document import quantity, shown
from broker.billing.fields import Fields, read_list
from broker.billing.models import Percentage
from broker.billing.price import Price
from broker.errors import InvalidFieldError

_METRICS = ("records", "bytes", "devices", "amount", "transactions")


@dataclass(frozen=True, kw_only=True)
class Split:
    """One part of a period, e.g. a day. None: that metric was not reported.

    `devices` are names, or a count where there is one split. `transactions` are money in order,
    reported instead of `amount`.
    """

    records: Fraction | None = None
    bytes: Fraction | None = None
    devices: frozenset[str] | Fraction | None = None
    amount: Fraction | None = None
    transactions: tuple[Fraction, ...] | None = None

    def money(self) -> Fraction:
        """The reported money in all."""
        if self.transactions is not None:
            return sum(self.transactions, Fraction(0))
        return self.amount or Fraction(0)

    def metered(self, metric: str) -> Fraction:
        """The quantity of one metric before any conversion; 0 where it was not reported.

        Raises:
            ValueError: there is no such metric.
        """
        match metric:
            case "records":
                return self.records or Fraction(0)
            case "bytes":
                return self.bytes or Fraction(0)
            case "GiB":
                return (self.bytes or Fraction(0)) / 2**30
            case "devices":
                named = self.devices
                return (
                    Fraction(len(named)) if isinstance(named, frozenset) else named or Fraction(0)
                )
            case "amount":
                return self.money()
        raise ValueError(f"metric {metric}: there is none of that name")


def joined(splits: Sequence[Split]) -> Split:
    """Several splits as one: sums, transactions in order, devices united."""
    if len(splits) == 1:
        return splits[0]
    names: set[str] = set()
    for split in splits:
        if isinstance(split.devices, frozenset):
            names |= split.devices
    money = tuple(
        value
        for split in splits
        for value in (split.transactions if split.transactions is not None else (split.money(),))
    )
    return Split(
        records=sum((split.records or Fraction(0) for split in splits), Fraction(0)),
        bytes=sum((split.bytes or Fraction(0) for split in splits), Fraction(0)),
        devices=frozenset(names),
        transactions=money,
    )


def parse_usage(value: Any, path: str, price: Price) -> tuple[Split, ...]:
    """Read usage and check that it holds what the price counts.

    Raises:
        InvalidFieldError: names the field, e.g. `usage[2].bytes`.
    """
    several = isinstance(value, list | tuple)
    if several:
        splits = read_list(value, path, _split, at_least=1)
        paths = [f"{path}[{i}]" for i in range(len(splits))]
    else:
        splits, paths = (_split(value, path),), [path]
    for split, at in zip(splits, paths, strict=True):
        _check_complete(split, at, price)
        if len(splits) > 1 and isinstance(split.devices, Fraction):
            raise InvalidFieldError(
                f"{at}.devices",
                "must be a list of names where there are several splits: counts of distinct "
                "things cannot be added; is a count",
            )
    return splits


def _split(value: Any, path: str) -> Split:
    fields = Fields(value, path, _METRICS)
    if fields.has("amount") and fields.has("transactions"):
        raise InvalidFieldError(
            fields.path("transactions"), "stand instead of amount; write one of the two"
        )
    transactions = None
    if fields.has("transactions"):
        transactions = read_list(fields.get("transactions"), fields.path("transactions"), quantity)
    return Split(
        records=_quantity(fields, "records"),
        bytes=_quantity(fields, "bytes"),
        devices=_devices(fields),
        amount=_quantity(fields, "amount"),
        transactions=transactions,
    )


def _quantity(fields: Fields, name: str) -> Fraction | None:
    return quantity(fields.get(name), fields.path(name)) if fields.has(name) else None


def _devices(fields: Fields) -> frozenset[str] | Fraction | None:
    if not isinstance(fields.get("devices"), list | tuple):
        return _quantity(fields, "devices")
    return frozenset(read_list(fields.get("devices"), fields.path("devices"), _device))


def _device(value: Any, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidFieldError(path, f"must be a device's name, is {shown(value)}")
    return value


def _check_complete(split: Split, path: str, price: Price) -> None:
    for metric in price.metrics:
        reported = getattr(split, metric)
        if metric == "amount" and reported is None:
            reported = split.transactions
        if reported is None:
            raise InvalidFieldError(
                f"{path}.{metric}", "is required, the price counts it; write it, be it 0"
            )
    needed = any(
        isinstance(component.charge, Percentage) and not component.charge.plain
        for component in price.components
    )
    if needed and split.transactions is None:
        raise InvalidFieldError(
            f"{path}.transactions",
            "is required instead of amount: the price has a fixed amount, an allowance or a bound "
            "for each transaction",
        )
