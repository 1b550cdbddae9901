"""One document of `weir rate`: a name, a price, usage and context, to a bill or an error.

{"name", "price", "usage", "context"}  ──▶  {"name", "lines", "total", "currency"}
──▶  {"name", "error": {"field", "message"}}
"""

from typing import Any

from broker.billing.context import Context, parse_context
from broker.billing.document import read_json, shown
from broker.billing.fields import Fields
from broker.billing.price import parse_price
from broker.billing.rate import SHOWN_SCALE, Bill, rate
from broker.billing.rounding import plain
from broker.billing.usage import Split, parse_usage
from broker.errors import InvalidFieldError


def rate_case(text: bytes) -> dict[str, Any]:
    """Rate one document; a faulty one gives an `error` instead of a bill.

    Args:
        text: JSON in UTF-8.
    """
    name = None
    try:
        document = _read(text)
        name = _readable_name(document)
        bill = _rate(document)
    except InvalidFieldError as error:
        return {"name": name, "error": {"field": error.field, "message": error.rule}}
    return {"name": name, **as_json(bill)}


def as_json(bill: Bill) -> dict[str, Any]:
    """The bill with its amounts as decimal strings of at least `scale` digits."""
    scale = bill.scale
    return {
        "lines": [
            {
                "description": line.description,
                "quantity": plain(line.quantity),
                "amount": plain(line.amount, at_least=scale, at_most=SHOWN_SCALE),
            }
            for line in bill.lines
        ],
        "total": plain(bill.total, at_least=scale, at_most=SHOWN_SCALE),
        "currency": bill.currency,
    }


def _read(text: bytes) -> Any:
    try:
        return read_json(text.decode())
    except UnicodeDecodeError as error:
        raise InvalidFieldError("", f"is not JSON: it must be UTF-8 ({error})") from error


def _readable_name(document: Any) -> str | None:
    if not isinstance(document, dict) or getattr(document, "twice", None) == "name":
        return None
    name = document.get("name")
    return name if isinstance(name, str) else None


def _rate(document: Any) -> Bill:
    fields = Fields(document, "", ("name", "price", "usage", "context"))
    if not isinstance(fields.required("name"), str):
        raise InvalidFieldError("name", f"must be a string, is {shown(fields.get('name'))}")
    price = parse_price(fields.required("price"))
    splits: tuple[Split, ...] = ()
    if fields.has("usage") or price.metrics:
        splits = parse_usage(fields.required("usage"), "usage", price)
    context = Context()
    if fields.has("context"):
        context = parse_context(fields.get("context"), "context", price)
    return rate(price, splits, context)
