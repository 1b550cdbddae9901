"""Tables of billing: closes, invoices, the journal.

Amounts of money are NUMERIC: whole minor units (`*_minor`), or a decimal where a line is finer.
What is finalised never changes: triggers (see the migration) refuse it, whoever asks.
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from broker.store.base import Base

_TIME = DateTime(timezone=True)


class BillingSettingsRow(Base):
    """Settings of the exchange: one row. `changed_at` and `changed_by`: of the fee, if ever."""

    __tablename__ = "billing_settings"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    operator_fee_basis_points: Mapped[int] = mapped_column(Integer)
    changed_at: Mapped[datetime | None] = mapped_column(_TIME)
    changed_by: Mapped[str | None] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("operator_fee_basis_points BETWEEN 0 AND 10000", name="fee"),
    )


class PeriodCloseRow(Base):
    """A product's billing time is to be proven up to `end_ms`, by the control event `seq`.

    `settled_at`: when its invoices were made; `billed_through`: until then, the last subscription
    by id that has all of its own. `finalise`: whether they are issued at once. `interim`: whether
    periods that it falls into are billed so far.
    """

    __tablename__ = "period_closes"

    product: Mapped[str] = mapped_column(ForeignKey("products.id"), primary_key=True)
    end_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    seq: Mapped[int] = mapped_column(ForeignKey("control_events.seq"))
    finalise: Mapped[bool] = mapped_column(Boolean)
    interim: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    requested_at: Mapped[datetime] = mapped_column(_TIME)
    requested_by: Mapped[str] = mapped_column(Text)
    settled_at: Mapped[datetime | None] = mapped_column(_TIME)
    billed_through: Mapped[str] = mapped_column(Text, server_default=text("''"))

    __table_args__ = (
        Index(
            "ix_period_closes_unsettled",
            "end_ms",
            "product",
            postgresql_where=text("settled_at IS NULL"),
        ),
    )


class BillingDueRow(Base):
    """When to look at a subscription for what is due; made of the tables that tell of it.

    `look_ms`: when its next period ends, 0 for at once, null for never. `due_ms`: the latest end
    that has passed without a final bill, until a close is asked for. Usage of
    `[known_first_ms, known_end_ms)` changes neither. No foreign keys: they would wait for locks.
    """

    __tablename__ = "billing_due"

    subscription: Mapped[str] = mapped_column(Text, primary_key=True)
    product: Mapped[str] = mapped_column(Text)
    look_ms: Mapped[int | None] = mapped_column(BigInteger)
    due_ms: Mapped[int | None] = mapped_column(BigInteger)
    known_first_ms: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    known_end_ms: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))

    __table_args__ = (
        Index("ix_billing_due_look", "look_ms", "subscription"),
        Index(
            "ix_billing_due_due", "product", "due_ms", postgresql_where=text("due_ms IS NOT NULL")
        ),
    )


class BillingNewsRow(Base):
    """A subscription of which something was written that may change what is due.

    Triggers (see the migration) insert it with each step of a history, and with usage that falls
    outside of what is known.
    """

    __tablename__ = "billing_news"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    subscription: Mapped[str] = mapped_column(Text)


class InvoiceRow(Base):
    """What one subscription owes for one period under one plan version, up to `through_ms`.

    A period that is billed before its end has several, each for what the ones before left open:
    `records` and `billed_bytes` are those of `[billed_first_ms, through_ms)`, `subtotal_minor` is
    that of the whole period so far. `minor_digits`: of the currency.
    """

    __tablename__ = "invoices"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    seller: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    buyer: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    product: Mapped[str] = mapped_column(ForeignKey("products.id"), index=True)
    subscription: Mapped[str] = mapped_column(ForeignKey("subscriptions.id"))
    plan: Mapped[str] = mapped_column(Text)
    plan_version: Mapped[int] = mapped_column(Integer)
    pinned_at_ms: Mapped[int] = mapped_column(BigInteger)
    period_first_ms: Mapped[int] = mapped_column(BigInteger)
    period_end_ms: Mapped[int] = mapped_column(BigInteger)
    billed_first_ms: Mapped[int] = mapped_column(BigInteger)
    through_ms: Mapped[int] = mapped_column(BigInteger)
    final: Mapped[bool] = mapped_column(Boolean)
    records: Mapped[int] = mapped_column(BigInteger)
    billed_bytes: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    minor_digits: Mapped[int] = mapped_column(SmallInteger)
    subtotal_minor: Mapped[Decimal] = mapped_column(Numeric)
    net_minor: Mapped[Decimal] = mapped_column(Numeric)
    tax_minor: Mapped[Decimal] = mapped_column(Numeric)
    total_minor: Mapped[Decimal] = mapped_column(Numeric)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    year: Mapped[int | None] = mapped_column(Integer)
    sequence: Mapped[int | None] = mapped_column(Integer)
    number: Mapped[str | None] = mapped_column(Text)
    finalised_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        ForeignKeyConstraint(
            ["plan", "plan_version"], ["plan_versions.plan", "plan_versions.number"]
        ),
        UniqueConstraint(
            *("subscription", "pinned_at_ms", "period_first_ms", "through_ms", "final"),
            name="uq_invoices_period",
        ),
        UniqueConstraint("seller", "year", "sequence"),
        UniqueConstraint("number"),
        Index("ix_invoices_created_at_id", "created_at", "id"),
        CheckConstraint("state IN ('draft', 'finalised')", name="state"),
        CheckConstraint("net_minor + tax_minor = total_minor", name="sum"),
        CheckConstraint("billed_first_ms <= through_ms", name="range"),
        CheckConstraint(
            "(state = 'finalised') = (year IS NOT NULL AND sequence IS NOT NULL"
            " AND number IS NOT NULL AND finalised_at IS NOT NULL)",
            name="numbered",
        ),
    )


class InvoiceLineRow(Base):
    """One line of an invoice, as the rating gave it."""

    __tablename__ = "invoice_lines"

    invoice: Mapped[str] = mapped_column(ForeignKey("invoices.id"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    description: Mapped[str] = mapped_column(Text)
    quantity: Mapped[Decimal] = mapped_column(Numeric)
    amount: Mapped[Decimal] = mapped_column(Numeric)


class InvoiceCounterRow(Base):
    """The last number of one seller and year, locked until its invoice is committed."""

    __tablename__ = "invoice_counters"

    seller: Mapped[str] = mapped_column(ForeignKey("organisations.id"), primary_key=True)
    year: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    last: Mapped[int] = mapped_column(Integer)


class JournalEntryRow(Base):
    """One business event in the journal; its `posting_count` postings sum to zero."""

    __tablename__ = "journal_entries"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    invoice: Mapped[str] = mapped_column(ForeignKey("invoices.id"), unique=True)
    at: Mapped[datetime] = mapped_column(_TIME)
    currency: Mapped[str] = mapped_column(Text)
    minor_digits: Mapped[int] = mapped_column(SmallInteger)
    operator_fee_basis_points: Mapped[int] = mapped_column(Integer)
    posting_count: Mapped[int] = mapped_column(Integer)


class JournalPostingRow(Base):
    """One side of an entry: positive is owed to the exchange, negative is owed by it.

    `account`: buyer, seller, operator-fee or tax; `organisation` is whose account that is.
    """

    __tablename__ = "journal_postings"

    entry: Mapped[str] = mapped_column(ForeignKey("journal_entries.id"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    account: Mapped[str] = mapped_column(Text)
    organisation: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    amount_minor: Mapped[Decimal] = mapped_column(Numeric)

    __table_args__ = (
        Index("ix_journal_postings_account_organisation", "account", "organisation"),
        CheckConstraint("account IN ('buyer', 'seller', 'operator-fee', 'tax')", name="account"),
    )
