"""Versions: what the caller may see of a subject.

    registered ─delete▶ deleted ─delete for good▶ hidden     (the id stays readable all along)

Numbers go up from 1 and none is given twice.
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from broker.domain.actor import Actor
from broker.registry.errors import (
    InvalidVersionError,
    SchemaNotFoundError,
    SubjectNotFoundError,
    VersionNotFoundError,
)
from broker.registry.schemas import ID_MAX, LIST_MAX, Candidate
from broker.registry.visibility import owner_of, readable
from broker.store.registry import SchemaRow, VersionRow

Number = int | Literal["latest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a subject. `seq`: of its control event."""

    subject: str
    number: int
    schema_id: int
    guid: str
    text: str
    seq: int


def parse(number: str) -> Number:
    """A version as a client writes it; Java's clients write -1 for the latest.

    Raises:
        InvalidVersionError: it is neither `latest` nor a number from 1.
    """
    if number in {"latest", "-1"}:
        return "latest"
    if not (number.isascii() and number.isdigit()) or not 1 <= int(number[:11]) <= ID_MAX:
        raise InvalidVersionError(
            "version", f"must be latest or a number from 1 to {ID_MAX}, is {number[:40]!r}"
        )
    return int(number)


def all_of(
    session: Session, subject: str, *, by: Actor, deleted: bool = False
) -> tuple[Version, ...]:
    """The subject's versions, oldest first; with `deleted`, those that were deleted as well.

    Raises:
        SubjectNotFoundError: there is none that the caller may see.
    """
    found = _found(session, _of(subject, by=by, deleted=deleted))
    if not found:
        raise SubjectNotFoundError(subject[:200])
    return found


def numbers_of(
    session: Session, subject: str, *, by: Actor, deleted: bool = False, only: bool = False
) -> list[int]:
    """Numbers of the subject's versions; with `only`, of the deleted ones alone.

    Raises:
        SubjectNotFoundError: there is none that the caller may see.
    """
    query = _of(subject, by=by, deleted=deleted or only)
    rows = session.execute(query.with_only_columns(VersionRow.number, VersionRow.deleted_at)).all()
    if not rows:
        raise SubjectNotFoundError(subject[:200])
    return [number for number, deleted_at in rows if deleted_at is not None or not only]


def get(
    session: Session, subject: str, number: Number, *, by: Actor, deleted: bool = False
) -> Version:
    """One version.

    Raises:
        SubjectNotFoundError: there is no such subject that the caller may see.
        VersionNotFoundError: the subject has no such version.
    """
    query = _of(subject, by=by, deleted=deleted)
    if number != "latest":
        query = query.where(VersionRow.number == number)
    found = _newest(session, query)
    if found is None:
        numbers_of(session, subject, by=by, deleted=deleted)
        raise VersionNotFoundError(subject, number)
    return found


def find(
    session: Session, subject: str, brought: Candidate, *, by: Actor, deleted: bool = False
) -> Version | None:
    """The newest version of the subject that has this schema, if any has."""
    query = _of(subject, by=by, deleted=deleted).where(SchemaRow.sha256 == brought.sha256)
    return _newest(session, query)


def lookup(
    session: Session, subject: str, brought: Candidate, *, by: Actor, deleted: bool = False
) -> Version:
    """The same, for whom it must be there.

    Raises:
        SubjectNotFoundError: there is no such subject that the caller may see.
        SchemaNotFoundError: the subject does not have it.
    """
    found = find(session, subject, brought, by=by, deleted=deleted)
    if found is None:
        numbers_of(session, subject, by=by, deleted=deleted)
        raise SchemaNotFoundError(f"of subject {subject}")
    return found


def compared(session: Session, subject: str, *, by: Actor, every: bool) -> tuple[Version, ...]:
    """What a new schema is compared with: every live version, oldest first, or the last alone."""
    query = _of(subject, by=by, deleted=False)
    if every:
        return _found(session, query)
    last = _newest(session, query)
    return () if last is None else (last,)


def subjects(
    session: Session, *, by: Actor, prefix: str = "", deleted: bool = False, only: bool = False
) -> list[str]:
    """Names of the subjects that the caller may see, in order.

    Args:
        session: to read with.
        by: who asks.
        prefix: names begin with it.
        deleted: with the deleted ones.
        only: the deleted ones alone.
    """
    known = _names(session, by=by, prefix=prefix, deleted=deleted or only)
    if not only:
        return known
    live = set(_names(session, by=by, prefix=prefix, deleted=False))
    return [name for name in known if name not in live]


def _names(session: Session, *, by: Actor, prefix: str, deleted: bool) -> list[str]:
    query = (
        select(VersionRow.subject)
        .where(VersionRow.purged_at.is_(None), readable(by))
        .distinct()
        .order_by(VersionRow.subject)
        .limit(LIST_MAX)
    )
    if not deleted:
        query = query.where(VersionRow.deleted_at.is_(None))
    if prefix:
        query = query.where(VersionRow.subject.startswith(prefix, autoescape=True))
    return list(session.scalars(query))


def _of(subject: str, *, by: Actor, deleted: bool) -> Select[VersionRow, SchemaRow]:
    query = (
        select(VersionRow, SchemaRow)
        .join(SchemaRow, SchemaRow.id == VersionRow.schema_id)
        # PostgreSQL takes no NUL in a text; what is no subject's name has no version.
        .where(VersionRow.subject == (subject if owner_of(subject) else ""))
        .where(VersionRow.purged_at.is_(None), readable(by))
        .order_by(VersionRow.number)
    )
    return query if deleted else query.where(VersionRow.deleted_at.is_(None))


def _newest(session: Session, query: Select[VersionRow, SchemaRow]) -> Version | None:
    backwards = query.order_by(None).order_by(VersionRow.number.desc()).limit(1)
    return next(iter(_found(session, backwards)), None)


def _found(session: Session, query: Select[VersionRow, SchemaRow]) -> tuple[Version, ...]:
    return tuple(
        Version(
            subject=row.subject,
            number=row.number,
            schema_id=schema.id,
            guid=schema.guid,
            text=schema.text,
            seq=row.seq,
        )
        for row, schema in session.execute(query)
    )
