"""What a price must be before a plan that carries it may be published.

Rating takes every model and metric of the format; a plan may use only what a segment measures and
an invoice can carry.
"""

from typing import Final

from broker.billing import currency
from broker.billing.price import Price
from broker.errors import InvalidFieldError

_METRICS: Final = ("records", "bytes", "GiB")
_MODELS: Final = ("flat", "unit", "package", "graduated", "volume")


def check_publishable(price: Price) -> None:
    """Refuse what cannot be metered or invoiced yet.

    Raises:
        InvalidFieldError: names the field, e.g. `price.components[1].metric`.
    """
    for component, path in zip(price.components, price.paths, strict=True):
        if component.model not in _MODELS:
            raise InvalidFieldError(
                f"{path}.model",
                f"{component.model} cannot be published yet; use one of {', '.join(_MODELS)}",
            )
        if component.metric is not None and component.metric not in _METRICS:
            raise InvalidFieldError(
                f"{path}.metric",
                f"{component.metric} is not metered yet; use one of {', '.join(_METRICS)}",
            )
    exponent = currency.exponent(price.currency)
    if price.rounding.scale > exponent:
        raise InvalidFieldError(
            "price.rounding.scale",
            f"must be at most {exponent}, the digits of {price.currency}'s minor unit, is "
            f"{price.rounding.scale}: a finer amount can be quoted, it cannot be invoiced",
        )
