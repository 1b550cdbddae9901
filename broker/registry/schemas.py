"""Schemas: one id for one canonical text on the whole exchange.

An id stays readable for ever, whatever becomes of the versions that use it: records name it.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from broker.avro.canonical import canonical_text
from broker.avro.schema import read_schema
from broker.avro.types import Type
from broker.domain.actor import Actor
from broker.errors import InvalidFieldError
from broker.registry.errors import InvalidSchemaError, SchemaNotFoundError
from broker.registry.visibility import readable
from broker.store.registry import SchemaRow, VersionRow

ID_MAX = 2**31 - 1
LIST_MAX = 10_000
# Makes a schema's GUID from its text; any fixed UUID would do.
_NAMESPACE = uuid.UUID("3b1f6a52-6d0c-5b0e-9f0a-2b7c5d6e7f80")


@dataclass(frozen=True, slots=True)
class Schema:
    """A registered schema."""

    id: int
    guid: str
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A schema that someone brought: read, checked, in its canonical text."""

    type: Type
    text: str

    @property
    def sha256(self) -> bytes:
        """What makes two schemas the same."""
        return sha256(self.text.encode()).digest()


def candidate(text: str, *, normalize: bool) -> Candidate:
    """Read a schema that someone brings.

    Raises:
        InvalidSchemaError: it breaks a rule; names the place.
    """
    try:
        type_ = read_schema(text)
    except InvalidFieldError as error:
        raise InvalidSchemaError(error.field, error.rule) from error
    return Candidate(type_, canonical_text(type_, normalize=normalize))


def assign(session: Session, brought: Candidate, *, now: datetime) -> Schema:
    """The schema with this text, given an id if it has none. Safe against a concurrent twin."""
    digest = brought.sha256
    known = select(SchemaRow).where(SchemaRow.sha256 == digest)
    row = session.scalars(known).first()
    if row is None:
        session.execute(
            insert(SchemaRow)
            .values(
                sha256=digest,
                guid=str(uuid.uuid5(_NAMESPACE, brought.text)),
                text=brought.text,
                created_at=now,
            )
            .on_conflict_do_nothing(index_elements=[SchemaRow.sha256])
        )
        row = session.scalars(known).one()
    return _schema(row)


def known(session: Session, brought: Candidate) -> Schema | None:
    """The schema with this text, if anyone has registered it."""
    row = session.scalars(select(SchemaRow).where(SchemaRow.sha256 == brought.sha256)).first()
    return None if row is None else _schema(row)


def by_id(session: Session, schema_id: int, *, by: Actor) -> Schema:
    """The schema of an id, if a version that the caller may see uses it or ever did.

    Raises:
        SchemaNotFoundError: there is none.
    """
    query = select(SchemaRow).where(SchemaRow.id == schema_id, _readable_of(by))
    row = session.scalars(query).first() if 1 <= schema_id <= ID_MAX else None
    if row is None:
        raise SchemaNotFoundError(str(schema_id))
    return _schema(row)


def by_guid(session: Session, guid: str, *, by: Actor) -> Schema:
    """The schema of a GUID, likewise.

    Raises:
        SchemaNotFoundError: there is none.
    """
    try:
        wanted = str(uuid.UUID(guid))
    except ValueError as error:
        raise SchemaNotFoundError(guid[:100]) from error
    row = session.scalars(select(SchemaRow).where(SchemaRow.guid == wanted, _readable_of(by)))
    found = row.first()
    if found is None:
        raise SchemaNotFoundError(wanted)
    return _schema(found)


def uses(
    session: Session, schema_id: int, *, by: Actor, subject: str | None, deleted: bool
) -> list[tuple[str, int]]:
    """(subject, version) pairs that use an id and that the caller may see, in order.

    Raises:
        SchemaNotFoundError: the caller may see no schema of this id.
    """
    by_id(session, schema_id, by=by)
    query = (
        select(VersionRow.subject, VersionRow.number)
        .where(VersionRow.schema_id == schema_id, VersionRow.purged_at.is_(None), readable(by))
        .order_by(VersionRow.subject, VersionRow.number)
        .limit(LIST_MAX)
    )
    if not deleted:
        query = query.where(VersionRow.deleted_at.is_(None))
    rows = session.execute(query)
    return [(name, number) for name, number in rows if subject is None or name == subject]


def _readable_of(by: Actor) -> ColumnElement[bool]:
    return (
        select(VersionRow.number)
        .where(VersionRow.schema_id == SchemaRow.id, readable(by))
        .correlate(SchemaRow)
        .exists()
    )


def _schema(row: SchemaRow) -> Schema:
    return Schema(row.id, row.guid, row.text)
