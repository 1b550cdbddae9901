"""Tables of the ledger: what the segments said, one row each, and what each subscription used."""

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from broker.store.base import Base


class Chain(Base):
    """How far the unbroken chain of one (topic id, partition, flow) reaches: coverage."""

    __tablename__ = "chains"

    topic_id: Mapped[str] = mapped_column(Text, primary_key=True)
    partition: Mapped[int] = mapped_column(Integer, primary_key=True)
    flow: Mapped[str] = mapped_column(Text, primary_key=True)
    product: Mapped[str] = mapped_column(Text, index=True)
    number: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    next_offset: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
    watermark_ms: Mapped[int] = mapped_column(BigInteger)
    hole: Mapped[str | None] = mapped_column(Text)


class AppliedSegment(Base):
    """A segment as it stood in `weir.usage`: canonical bytes, kept for ever."""

    __tablename__ = "segments"

    topic_id: Mapped[str] = mapped_column(Text, primary_key=True)
    partition: Mapped[int] = mapped_column(Integer, primary_key=True)
    flow: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    product: Mapped[str] = mapped_column(Text)
    first_offset: Mapped[int] = mapped_column(BigInteger)
    next_offset: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
    quarter_ms: Mapped[int] = mapped_column(BigInteger)
    billing_first_ms: Mapped[int] = mapped_column(BigInteger)
    watermark_ms: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    canonical: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (Index("ix_segments_product_seq", "product", "seq"),)


class Usage(Base):
    """What one subscription was delivered in one segment."""

    __tablename__ = "usage"

    subscription: Mapped[str] = mapped_column(Text, primary_key=True)
    topic_id: Mapped[str] = mapped_column(Text, primary_key=True)
    partition: Mapped[int] = mapped_column(Integer, primary_key=True)
    flow: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    first_offset: Mapped[int] = mapped_column(BigInteger)
    next_offset: Mapped[int] = mapped_column(BigInteger)
    quarter_ms: Mapped[int] = mapped_column(BigInteger)
    billing_first_ms: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
    records: Mapped[int] = mapped_column(BigInteger)
    billed_bytes: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        ForeignKeyConstraint(
            ["topic_id", "partition", "flow", "number"],
            ["segments.topic_id", "segments.partition", "segments.flow", "segments.number"],
        ),
        Index("ix_usage_subscription_billing_first_ms", "subscription", "billing_first_ms"),
    )


class UsagePosition(Base):
    """Where the ledger reads each partition of `weir.usage` on from."""

    __tablename__ = "usage_positions"

    partition: Mapped[int] = mapped_column(Integer, primary_key=True)
    next_offset: Mapped[int] = mapped_column(BigInteger)
