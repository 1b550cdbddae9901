"""Tables of the schema registry: schemas, the subjects they belong to, and their versions.

A schema has one id on the whole exchange. Nothing is ever removed: a deleted version is hidden, its
number is not given again and its id stays readable, since records that name it are still about.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from broker.store.base import Base

_TIME = DateTime(timezone=True)


class SchemaRow(Base):
    """One canonical text. `sha256` is of that text, so that equal schemas share an id."""

    __tablename__ = "registry_schemas"

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    guid: Mapped[str] = mapped_column(Text, unique=True)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_TIME)


class SubjectRow(Base):
    """A subject; `compatibility` is null where the organisation's level holds.

    The row is locked while a version is added, so that numbers are given once and in order.
    """

    __tablename__ = "registry_subjects"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    compatibility: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    created_by: Mapped[str] = mapped_column(Text)


class VersionRow(Base):
    """One version of a subject.

    `seq`: of the control event that told routers of it. `deleted_at`: hidden, `purged_at`: hidden
    for good. `retired_at`: routers were told to refuse its id in new records of this subject.
    """

    __tablename__ = "registry_versions"

    subject: Mapped[str] = mapped_column(ForeignKey("registry_subjects.name"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    schema_id: Mapped[int] = mapped_column(ForeignKey("registry_schemas.id"), index=True)
    seq: Mapped[int] = mapped_column(BigInteger, ForeignKey("control_events.seq"))
    created_at: Mapped[datetime] = mapped_column(_TIME)
    created_by: Mapped[str] = mapped_column(Text)
    deleted_at: Mapped[datetime | None] = mapped_column(_TIME)
    purged_at: Mapped[datetime | None] = mapped_column(_TIME)
    retired_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        # One live version a schema: registering it again answers the one that is there.
        Index(
            "uq_registry_versions_live_schema",
            "subject",
            "schema_id",
            unique=True,
            postgresql_where="deleted_at IS NULL",
        ),
    )


class LevelRow(Base):
    """The compatibility level of an organisation's subjects; '' stands for the exchange."""

    __tablename__ = "registry_levels"

    organisation: Mapped[str] = mapped_column(Text, primary_key=True)
    compatibility: Mapped[str] = mapped_column(Text)
