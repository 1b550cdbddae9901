"""Organisations: the companies on the exchange. Only the operator lets one in.

Owns their names. Does not own tokens (`tokens`) or Kafka users (`accounts`).
"""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.control.rows import check_revision, columns_of, insert, put, value_of, values_of
from broker.domain.actor import Actor
from broker.domain.names import check_slug
from broker.errors import ForbiddenError, NotFoundError
from broker.store.control import OrganisationRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A company on the exchange; it may sell and buy."""

    id: str
    name: str
    created_at: datetime
    created_by: str
    revision: int = 1


def create(
    session: Session, organisation_id: str, *, name: str, by: Actor, now: datetime
) -> Organisation:
    """Let a company in.

    Raises:
        ForbiddenError: `by` is not the operator.
        InvalidFieldError: the id is no slug, or reserved.
        ConflictError: the name was given before.
    """
    if by.organisation is not None:
        raise ForbiddenError("organisation: only the operator lets one in; ask it to")
    check_slug("id", organisation_id)
    created = Organisation(id=organisation_id, name=name, created_at=now, created_by=by.name)
    row = OrganisationRow(**columns_of(created))
    insert(session, row, kind="organisation", name=organisation_id)
    return created


def rename(
    session: Session, organisation_id: str, *, name: str, by: Actor, if_revision: int | None
) -> Organisation:
    """Change the name it is shown by; the id stays.

    Raises:
        NotFoundError: no such organisation, or not `by`'s own.
        PreconditionError: it changed since it was read.
    """
    row = _row(session, organisation_id, by=by, lock=True)
    check_revision("organisation", row.id, row.revision, if_revision)
    renamed = replace(value_of(Organisation, row), name=name, revision=row.revision + 1)
    put(row, renamed)
    return renamed


def get(session: Session, organisation_id: str, *, by: Actor) -> Organisation:
    """One organisation.

    Raises:
        NotFoundError: no such organisation, or not `by`'s own.
    """
    return value_of(Organisation, _row(session, organisation_id, by=by))


def search(session: Session, *, by: Actor, after: str, limit: int) -> list[Organisation]:
    """Those that `by` may see, by id, from the first past `after`."""
    query = select(OrganisationRow).where(OrganisationRow.id > after)
    if by.organisation is not None:
        query = query.where(OrganisationRow.id == by.organisation)
    rows = session.scalars(query.order_by(OrganisationRow.id).limit(limit))
    return values_of(Organisation, rows)


def _row(
    session: Session, organisation_id: str, *, by: Actor, lock: bool = False
) -> OrganisationRow:
    row = session.get(OrganisationRow, organisation_id, with_for_update=lock)
    if row is None or not by.owns(row.id):
        raise NotFoundError("organisation", organisation_id)
    return row
