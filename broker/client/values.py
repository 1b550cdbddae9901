"""What the API shows of organisations, products, plans and subscriptions, as frozen values."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


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
class Me:
    """Whose token this is; `organisation` is None for the operator."""

    name: str
    role: str
    organisation: str | None
