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
    found = _found(session, _of(subject, by=by, deleted=deleted), subject)
    if not found:
        raise SubjectNotFoundError(subject[:200])
    return found


def deleted_of(session: Session, subject: str, *, by: Actor) -> tuple[Version, ...]:
    """The subject's deleted versions alone.

    Raises:
        SubjectNotFoundError: there is no such subject that the caller may see.
    """
    live = {v.number for v in _found(session, _of(subject, by=by, deleted=False), subject)}
    known = all_of(session, subject, by=by, deleted=True)
    return tuple(version for version in known if version.number not in live)


def get(
    session: Session, subject: str, number: Number, *, by: Actor, deleted: bool = False
) -> Version:
    """One version.

    Raises:
        SubjectNotFoundError: there is no such subject that the caller may see.
        VersionNotFoundError: the subject has no such version.
    """
    found = all_of(session, subject, by=by, deleted=deleted)
    wanted = found[-1:] if number == "latest" else [v for v in found if v.number == number]
    if not wanted:
        raise VersionNotFoundError(subject, number)
    return wanted[0]


def lookup(
    session: Session, subject: str, brought: Candidate, *, by: Actor, deleted: bool = False
) -> Version:
    """The newest version of the subject that has this schema.

    Raises:
        SubjectNotFoundError: there is no such subject that the caller may see.
        SchemaNotFoundError: the subject does not have it.
    """
    for version in reversed(all_of(session, subject, by=by, deleted=deleted)):
        if version.text == brought.text:
            return version
    raise SchemaNotFoundError(f"of subject {subject}")


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
        .where(VersionRow.subject == subject, VersionRow.purged_at.is_(None), readable(by))
        .order_by(VersionRow.number)
    )
    return query if deleted else query.where(VersionRow.deleted_at.is_(None))


def _found(
    session: Session, query: Select[VersionRow, SchemaRow], subject: str
) -> tuple[Version, ...]:
    if owner_of(subject) is None:
        return ()
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
