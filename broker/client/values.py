"""What the API shows, as frozen values. Fields that a newer API adds are passed over."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A company on the exchange."""

    id: str
    name: str
    created_at: datetime
    created_by: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token. `token` is there when it was just made, and never again."""

    id: str
    organisation: str
    name: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A Kafka user. `password` is there when it was just set, and never again."""

    id: str
    organisation: str
    principal: str
    role: str
    state: str
    created_at: datetime
    created_by: str
    deleted_at: datetime | None
    revision: int
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A stream for sale, as its seller sees it."""

    id: str
    organisation: str
    title: str
    description: str
    classification: str
    topic: str
    quarantine_topic: str
    subject: str
    partitions: int
    published_partitions: int | None
    retention_ms: int
    quarantine_max_bytes: int
    record_max_bytes: int
    validation: str
    event_time_field: str | None
    state: str
    topic_id: str | None
    created_at: datetime
    created_by: str
    published_at: datetime | None
    retired_at: datetime | None
    ended_at: datetime | None
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan; its price stands in its versions."""

    id: str
    organisation: str
    product: str
    title: str
    created_at: datetime
    created_by: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanVersion:
    """One version of a plan."""

    plan: str
    number: int
    state: str
    price: dict[str, Any]
    period: dict[str, Any]
    delivery_retention_ms: int
    approval: str
    terms: str
    created_at: datetime
    created_by: str
    published_at: datetime | None
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOffer:
    """A plan on sale, with its newest published version."""

    id: str
    title: str
    version: PlanVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A product on sale. `plans` is filled where one product was asked for."""

    id: str
    organisation: str
    title: str
    description: str
    classification: str
    subject: str
    partitions: int
    retention_ms: int
    record_max_bytes: int
    validation: str
    event_time_field: str | None
    published_at: datetime | None
    plans: tuple[PlanOffer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A right to a product."""

    id: str
    organisation: str
    product: str
    plan: str
    plan_version: int
    delivery_topic: str
    state: str
    requested_at: datetime
    requested_by: str
    expires_at: datetime | None
    activated_at: datetime | None
    ended_at: datetime | None
    period_anchor_ms: int | None
    period_length_ms: int | None
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One line of a subscription's history."""

    number: int
    transition: str
    state: str
    plan: str
    plan_version: int
    at: datetime
    by: str
    reason: str
    seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutover:
    """Where a subscription's last change took effect: partition to offset, None if not proven."""

    subscription: str
    transition: str
    seq: int
    at: datetime
    offsets: dict[int, int | None]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRecord:
    """One record of a product. Times are the broker's; `reason` where it was refused."""

    partition: int
    offset: int
    at: datetime
    key: str | None
    value_bytes: int | None
    schema_id: int | None
    reason: str | None = None
    explanation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductCheck:
    """What came last of a product."""

    product: str
    checked_at: datetime
    last_valid: SeenRecord | None
    last_refused: SeenRecord | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an invoice; decimals as text."""

    description: str
    quantity: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What a buyer owes a seller for one period; amounts are decimals in the major unit."""

    id: str
    number: str | None
    state: str
    seller: str
    buyer: str
    product: str
    subscription: str
    plan: str
    plan_version: int
    period_first_ms: int
    period_end_ms: int
    through_ms: int
    final: bool
    records: int
    billed_bytes: int
    currency: str
    lines: tuple[Line, ...]
    net: str
    tax: str
    total: str
    created_at: datetime
    finalised_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """What a seller is owed in one currency."""

    seller: str
    currency: str
    amount: str
    invoices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """A product's billing time, closed up to `end_ms`."""

    product: str
    end_ms: int
    seq: int
    finalise: bool
    requested_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A partition that has not proven the end yet, and why."""

    partition: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A close and what it still waits for."""

    close: Close
    complete: bool
    missing: tuple[Missing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Whose token this is; `organisation` is None for the operator."""

    name: str
    role: str
    organisation: str | None


def value_of(cls: type[Value], body: dict[str, Any]) -> Value:
    """The value in a JSON object.

    >>> value_of(Me, {"name": "operator", "role": "operator", "organisation": None, "new": 1})
    Me(name='operator', role='operator', organisation=None)
    """
    hints: dict[str, Any] = _hints(cls)  # type: ignore[arg-type]
    names = [one.name for one in fields(cls)]  # type: ignore[arg-type]
    return cls(**{name: _read(hints[name], body[name]) for name in names if name in body})


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _read(hint: Any, value: Any) -> Any:
    """JSON has neither times nor tuples nor numbers as keys."""
    options = get_args(hint) or (hint,)
    if value is None:
        return None
    if datetime in options:
        return datetime.fromisoformat(value)
    if isinstance(value, list) and options[-1] is Ellipsis:
        return tuple(_read(options[0], one) for one in value)
    if isinstance(value, dict) and options[0] is int:
        return {int(key): one for key, one in value.items()}
    if isinstance(value, dict):
        known = [one for one in options if hasattr(one, "__dataclass_fields__")]
        return value_of(known[0], value) if known else value
    return value
