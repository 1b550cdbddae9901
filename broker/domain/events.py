"""Control events: what routers must know, in `seq` order in `weir.control`.

The class names and fields are those of `schemas/ControlEvent.avsc`. `seq` is contiguous from 1 and
given out in the database transaction that made the change.
"""

from dataclasses import dataclass
from typing import Literal

Validation = Literal["header", "full"]


@dataclass(frozen=True, slots=True)
class ProductPublished:
    """A product's topic exists and may be routed."""

    product: str
    topic: str
    topic_id: str
    partitions: int
    quarantine_topic: str
    subject: str
    validation: Validation
    record_max_bytes: int


@dataclass(frozen=True, slots=True)
class PartitionsRaised:
    """A product has more partitions; delivery and quarantine topics already have them."""

    product: str
    partitions: int


@dataclass(frozen=True, slots=True)
class ProductRetired:
    """The product takes no more records; what is in its topic is still routed."""

    product: str


@dataclass(frozen=True, slots=True)
class TopicEnded:
    """The product's topic is gone or was recreated: nothing more of it is routed."""

    product: str
    topic_id: str


@dataclass(frozen=True, slots=True)
class SchemaRegistered:
    """A version was added to a subject; `schema` is its JSON text."""

    subject: str
    schema_id: int
    version: int
    schema: str


@dataclass(frozen=True, slots=True)
class SchemaRetired:
    """Records with this id are refused from here on."""

    subject: str
    schema_id: int


@dataclass(frozen=True, slots=True)
class SubscriptionActivated:
    """Its delivery topic is confirmed: deliver from here on.

    `period_anchor_ms` and `period_length_ms` are set for billing periods of a fixed length, whose
    ends no segment straddles; both null for calendar months.
    """

    subscription: str
    product: str
    delivery_topic: str
    plan: str
    plan_version: int
    period_anchor_ms: int | None
    period_length_ms: int | None


@dataclass(frozen=True, slots=True)
class SubscriptionReplanned:
    """Another plan version is pinned from here on."""

    subscription: str
    product: str
    plan: str
    plan_version: int


@dataclass(frozen=True, slots=True)
class SubscriptionSuspended:
    """Stop delivering until resumed."""

    subscription: str
    product: str


@dataclass(frozen=True, slots=True)
class SubscriptionResumed:
    """Deliver again, from here on."""

    subscription: str
    product: str


@dataclass(frozen=True, slots=True)
class SubscriptionRevoked:
    """Stop delivering for good."""

    subscription: str
    product: str


@dataclass(frozen=True, slots=True)
class SubscriptionExpired:
    """Its term is over: stop delivering for good."""

    subscription: str
    product: str


@dataclass(frozen=True, slots=True)
class PeriodClosing:
    """Every partition of the product is to prove that billing time has reached `end_ms`."""

    product: str
    end_ms: int


Event = (
    ProductPublished
    | PartitionsRaised
    | ProductRetired
    | TopicEnded
    | SchemaRegistered
    | SchemaRetired
    | SubscriptionActivated
    | SubscriptionReplanned
    | SubscriptionSuspended
    | SubscriptionResumed
    | SubscriptionRevoked
    | SubscriptionExpired
    | PeriodClosing
)


@dataclass(frozen=True, slots=True)
class ControlEvent:
    """One line of the control log. `at_ms`: when it was decided, ms since 1970 UTC."""

    seq: int
    at_ms: int
    event: Event
