"""Subjects: register, delete, retire. Every change happens under the subject's row lock.

A registration writes SchemaRegistered into the same transaction. Whoever answers a client waits
for its publication first (`outbox.published`), so that no router meets an id before its event.
"""

from datetime import datetime
from functools import lru_cache

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from broker.avro import modes
from broker.avro.schema import read_schema
from broker.avro.types import Type
from broker.control import outbox
from broker.domain.actor import Actor
from broker.domain.events import SchemaRegistered, SchemaRetired
from broker.errors import ConflictError, NotFoundError
from broker.registry import levels, schemas, versions
from broker.registry.errors import (
    IncompatibleSchemaError,
    SubjectDeletedError,
    SubjectNotDeletedError,
    SubjectNotFoundError,
    VersionDeletedError,
    VersionNotDeletedError,
    VersionNotFoundError,
)
from broker.registry.schemas import Candidate
from broker.registry.versions import Number, Version
from broker.registry.visibility import check_writable
from broker.store.control import OrganisationRow
from broker.store.registry import SubjectRow, VersionRow

VERSIONS_MAX = 1_000
_MESSAGES_MAX_CHARACTERS = 4_000


def register(
    session: Session, subject: str, brought: Candidate, *, by: Actor, now: datetime
) -> Version:
    """The version with this schema, made if the subject does not have it.

    Idempotent, also for two callers at once: the second finds the first one's version.

    Raises:
        InvalidFieldError: it is no name of a subject.
        ForbiddenError: the subject is another organisation's.
        IncompatibleSchemaError: the subject's level does not allow it; says where and why.
        ConflictError: the subject has 1,000 versions.
    """
    row = locked(session, subject, by=by, now=now)
    known = versions.find(session, subject, brought, by=by)
    if known is not None:
        return known
    _check_compatible(session, row, brought, by=by)

    last = session.scalar(select(func.max(VersionRow.number)).where(VersionRow.subject == subject))
    number = (last or 0) + 1
    if number > VERSIONS_MAX:
        raise ConflictError(f"subject {subject}: has {VERSIONS_MAX} versions; use another subject")
    schema = schemas.assign(session, brought, now=now)
    seq = outbox.append(session, SchemaRegistered(subject, schema.id, number, schema.text), now=now)
    added = VersionRow(
        subject=subject,
        number=number,
        schema_id=schema.id,
        seq=seq,
        created_at=now,
        created_by=by.name,
    )
    session.add(added)
    session.flush()
    return Version(
        subject=subject,
        number=number,
        schema_id=schema.id,
        guid=schema.guid,
        text=schema.text,
        seq=seq,
    )


def violations(
    level: modes.Mode, brought: Candidate, compared: tuple[Version, ...]
) -> tuple[str, ...]:
    """What breaks a level, one sentence each."""
    return modes.violations(
        level, brought.type, [modes.Version(v.number, _read(v.text)) for v in compared]
    )


def delete_version(
    session: Session, subject: str, number: Number, *, permanent: bool, by: Actor, now: datetime
) -> int:
    """Hide one version, or a hidden one for good. Its id stays valid and readable.

    Raises:
        VersionNotFoundError: the subject has no such version.
        VersionDeletedError: it is hidden already.
        VersionNotDeletedError: it is to be hidden for good but is not hidden yet.
    """
    rows = _rows(session, subject, by=by)
    row = _one(rows, subject, number)
    if permanent and row.deleted_at is None:
        raise VersionNotDeletedError(subject, row.number)
    if not permanent and row.deleted_at is not None:
        raise VersionDeletedError(subject, row.number)
    _hide(row, permanent=permanent, now=now)
    return row.number


def delete(
    session: Session, subject: str, *, permanent: bool, by: Actor, now: datetime
) -> list[int]:
    """Hide all of a subject's versions, or the hidden ones for good; gives their numbers.

    The name stays its organisation's: a later registration goes on with the next number.

    Raises:
        SubjectNotFoundError: there is none.
        SubjectDeletedError: it is hidden already.
        SubjectNotDeletedError: it is to be hidden for good but is not hidden yet.
    """
    rows = _rows(session, subject, by=by)
    live = [row for row in rows if row.deleted_at is None]
    if permanent and live:
        raise SubjectNotDeletedError(subject)
    if not permanent and not live:
        raise SubjectDeletedError(subject)
    touched = rows if permanent else live
    for row in touched:
        _hide(row, permanent=permanent, now=now)
    session.get_one(SubjectRow, subject).compatibility = None
    return [row.number for row in touched]


def retire(session: Session, subject: str, number: Number, *, by: Actor, now: datetime) -> int:
    """Have routers refuse a version's schema in new records; gives the control event's seq.

    The version and its twins are hidden too. Registering the schema again makes it valid again.

    Raises:
        VersionNotFoundError: the subject has no such version.
        ConflictError: it has been retired.
    """
    rows = _rows(session, subject, by=by)
    row = _one(rows, subject, number)
    if row.retired_at is not None:
        raise ConflictError(f"version {subject} {row.number}: has been retired already")
    for twin in rows:
        if twin.schema_id == row.schema_id:
            twin.retired_at = now
            twin.deleted_at = twin.deleted_at or now
    return outbox.append(session, SchemaRetired(subject, row.schema_id), now=now)


def locked(session: Session, subject: str, *, by: Actor, now: datetime) -> SubjectRow:
    """The subject's row, made if need be, locked to the end of the transaction.

    Raises:
        InvalidFieldError: it is no name of a subject.
        ForbiddenError: it is another organisation's.
        NotFoundError: its organisation does not exist.
    """
    owner = check_writable(subject, by=by)
    if session.get(OrganisationRow, owner) is None:
        raise NotFoundError("organisation", owner)
    made = insert(SubjectRow).values(
        name=subject, organisation=owner, created_at=now, created_by=by.name
    )
    session.execute(made.on_conflict_do_nothing(index_elements=[SubjectRow.name]))
    return session.get_one(SubjectRow, subject, with_for_update=True)


def _check_compatible(
    session: Session, subject: SubjectRow, brought: Candidate, *, by: Actor
) -> None:
    level = levels.effective(session, subject.organisation, subject.name)
    if level is modes.Mode.NONE:
        return
    compared = versions.compared(session, subject.name, by=by, every=level.transitive)
    found = violations(level, brought, compared)
    if found:
        text = "; ".join(found)[:_MESSAGES_MAX_CHARACTERS]
        raise IncompatibleSchemaError(
            f"subject {subject.name}: the schema is incompatible with an earlier schema by level "
            f"{level}: {text}"
        )


def _rows(session: Session, subject: str, *, by: Actor) -> list[VersionRow]:
    check_writable(subject, by=by)
    session.get(SubjectRow, subject, with_for_update=True)
    query = (
        select(VersionRow)
        .where(VersionRow.subject == subject, VersionRow.purged_at.is_(None))
        .order_by(VersionRow.number)
    )
    rows = list(session.scalars(query))
    if not rows:
        raise SubjectNotFoundError(subject)
    return rows


def _one(rows: list[VersionRow], subject: str, number: Number) -> VersionRow:
    if number == "latest":
        wanted = [row for row in rows if row.deleted_at is None][-1:]
    else:
        wanted = [row for row in rows if row.number == number]
    if not wanted:
        raise VersionNotFoundError(subject, number)
    return wanted[0]


def _hide(row: VersionRow, *, permanent: bool, now: datetime) -> None:
    if permanent:
        row.purged_at = now
    else:
        row.deleted_at = now


# Registering compares with schemas that have been read before; a subject's versions repeat.
@lru_cache(maxsize=256)
def _read(text: str) -> Type:
    return read_schema(text)
