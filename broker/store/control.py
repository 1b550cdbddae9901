"""Tables of the control plane: who is on the exchange, what is sold, who may have it.

Ids are names: `acme` for an organisation, `acme/wind` for what belongs to it. A row is never
removed, so that no name is given twice. `revision` rises with every change of a row and makes its
ETag. States and their transitions are rules of `broker/domain/`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from broker.store.base import Base

_TIME = DateTime(timezone=True)


class OrganisationRow(Base):
    """A company on the exchange."""

    __tablename__ = "organisations"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    created_by: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(Integer)


class ServiceAccountRow(Base):
    """A SCRAM user of one organisation; its password is Kafka's alone.

    `state`: active or deleted. `role`: producer, consumer or both: which ACLs it gets.
    """

    __tablename__ = "service_accounts"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    principal: Mapped[str] = mapped_column(Text, unique=True)
    role: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    created_by: Mapped[str] = mapped_column(Text)
    deleted_at: Mapped[datetime | None] = mapped_column(_TIME)
    revision: Mapped[int] = mapped_column(Integer)


class ApiTokenRow(Base):
    """A bearer token of one organisation, of which only the SHA-256 is kept."""

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    created_by: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime | None] = mapped_column(_TIME)
    revoked_at: Mapped[datetime | None] = mapped_column(_TIME)


class ProductRow(Base):
    """A stream for sale. `topic_id` is known once its topic is confirmed.

    `partitions` is what is wanted, `published_partitions` what routers were told last.
    `state`: draft, publishing (topic wanted), published, retired. `ended_at`: its topic is gone.
    """

    __tablename__ = "products"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    classification: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text, unique=True)
    quarantine_topic: Mapped[str] = mapped_column(Text, unique=True)
    subject: Mapped[str] = mapped_column(Text, unique=True)
    partitions: Mapped[int] = mapped_column(Integer)
    published_partitions: Mapped[int | None] = mapped_column(Integer)
    retention_ms: Mapped[int] = mapped_column(BigInteger)
    quarantine_max_bytes: Mapped[int] = mapped_column(BigInteger)
    record_max_bytes: Mapped[int] = mapped_column(Integer)
    validation: Mapped[str] = mapped_column(Text)
    event_time_field: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, index=True)
    topic_id: Mapped[str | None] = mapped_column(Text, unique=True)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    created_by: Mapped[str] = mapped_column(Text)
    published_at: Mapped[datetime | None] = mapped_column(_TIME)
    retired_at: Mapped[datetime | None] = mapped_column(_TIME)
    ended_at: Mapped[datetime | None] = mapped_column(_TIME)
    revision: Mapped[int] = mapped_column(Integer)


class PlanRow(Base):
    """What one product costs; its versions hold price and terms."""

    __tablename__ = "plans"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    product: Mapped[str] = mapped_column(ForeignKey("products.id"), index=True)
    title: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    created_by: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(Integer)


class PlanVersionRow(Base):
    """One version of a plan; nothing but `state` changes once it is published.

    `state`: draft, published, withdrawn (no new subscriptions). `period` is
    `{"calendar": "month", "time_zone": …}` or `{"length_s": …}`. `approval`: manual or automatic.
    """

    __tablename__ = "plan_versions"

    plan: Mapped[str] = mapped_column(ForeignKey("plans.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    price: Mapped[dict[str, Any]] = mapped_column(JSONB)
    period: Mapped[dict[str, Any]] = mapped_column(JSONB)
    delivery_retention_ms: Mapped[int] = mapped_column(BigInteger)
    approval: Mapped[str] = mapped_column(Text)
    terms: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    created_by: Mapped[str] = mapped_column(Text)
    published_at: Mapped[datetime | None] = mapped_column(_TIME)
    revision: Mapped[int] = mapped_column(Integer)


class SubscriptionRow(Base):
    """One organisation's right to one product under one plan version.

    `state`: requested, activating (approved, topic wanted), active, suspended, revoked, expired,
    rejected. The period fields are those of the SubscriptionActivated event.
    """

    __tablename__ = "subscriptions"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    product: Mapped[str] = mapped_column(ForeignKey("products.id"), index=True)
    plan: Mapped[str] = mapped_column(Text)
    plan_version: Mapped[int] = mapped_column(Integer)
    delivery_topic: Mapped[str] = mapped_column(Text, unique=True)
    state: Mapped[str] = mapped_column(Text, index=True)
    expires_at: Mapped[datetime | None] = mapped_column(_TIME)
    requested_at: Mapped[datetime] = mapped_column(_TIME)
    requested_by: Mapped[str] = mapped_column(Text)
    activated_at: Mapped[datetime | None] = mapped_column(_TIME)
    ended_at: Mapped[datetime | None] = mapped_column(_TIME)
    period_anchor_ms: Mapped[int | None] = mapped_column(BigInteger)
    period_length_ms: Mapped[int | None] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        ForeignKeyConstraint(
            ["plan", "plan_version"], ["plan_versions.plan", "plan_versions.number"]
        ),
    )


class SubscriptionHistoryRow(Base):
    """One transition of a subscription: what, when, by whom, why.

    `seq`: of its control event, null where routers need not know. `plan_version`: pinned after it.
    """

    __tablename__ = "subscription_history"

    subscription: Mapped[str] = mapped_column(ForeignKey("subscriptions.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    transition: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    plan: Mapped[str] = mapped_column(Text)
    plan_version: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(_TIME)
    by: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    seq: Mapped[int | None] = mapped_column(ForeignKey("control_events.seq"))


class ControlEventRow(Base):
    """The outbox: a control event as it stands, or is about to stand, in `weir.control`."""

    __tablename__ = "control_events"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(Text)
    canonical: Mapped[bytes] = mapped_column(LargeBinary)
    published_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        Index("ix_control_events_unpublished", "seq", postgresql_where="published_at IS NULL"),
    )


class ControlCounterRow(Base):
    """The last seq given out: one row, locked until the transaction that raised it ends."""

    __tablename__ = "control_counter"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)


class OutletTopicRow(Base):
    """A delivery or quarantine topic that Kafka was seen to have: one row for each id of a name.

    `lost_at`: seen to be gone, removed from outside. `acknowledged_at`: an operator knows of it.
    """

    __tablename__ = "outlet_topics"

    topic: Mapped[str] = mapped_column(Text, primary_key=True)
    topic_id: Mapped[str] = mapped_column(Text, primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(_TIME)
    lost_at: Mapped[datetime | None] = mapped_column(_TIME)
    acknowledged_at: Mapped[datetime | None] = mapped_column(_TIME)
    acknowledged_by: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("ix_outlet_topics_there", "topic", unique=True, postgresql_where="lost_at IS NULL"),
    )


class IdempotencyRow(Base):
    """The answer to one creating request, for whoever repeats it.

    `scope`: the token that asked. `answer` is encrypted with a key made of that token and the
    idempotency key, neither of which is stored: a secret shown once stays shown once.
    """

    __tablename__ = "idempotency_keys"

    scope: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    answer: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(_TIME, index=True)
