"""Service accounts: Kafka users of an organisation.

    active ─delete▶ deleted (the name is never given again)

Owns who has one and in which role. The password goes to Kafka while the caller waits and is shown
once; nothing of it is kept here. ACLs follow by reconciliation (`provision`), which on deletion
removes them before the user: Kafka cuts a connected client by its ACLs, not by its credential.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.control import organisations
from broker.control.ports import Credentials
from broker.control.rows import check_revision, columns_of, insert, put, value_of, values_of
from broker.domain import names
from broker.domain.actor import Actor
from broker.domain.lifecycle import check_act
from broker.errors import NotFoundError
from broker.store.control import ServiceAccountRow

Role = Literal["producer", "consumer", "both"]
_PASSWORD_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One Kafka user.

    `role`: producers write its organisation's products, consumers read its deliveries and its
    quarantine.
    """

    id: str
    organisation: str
    principal: str
    role: Role
    state: Literal["active", "deleted"]
    created_at: datetime
    created_by: str
    deleted_at: datetime | None = None
    revision: int = 1


def create(
    session: Session,
    account_id: str,
    *,
    role: Role,
    credentials: Credentials,
    by: Actor,
    now: datetime,
) -> tuple[Account, str]:
    """Make a Kafka user. The second value is its password: show it now, it is not kept.

    Raises:
        InvalidFieldError: the id is not `organisation/name`.
        NotFoundError: no such organisation, or not `by`'s own.
        ConflictError: the name was given before.
        LogError: Kafka did not confirm; nothing is kept, try again.
    """
    organisation, _ = names.split_id("id", account_id)
    organisations.get(session, organisation, by=by)
    account = Account(
        id=account_id,
        organisation=organisation,
        principal=names.principal(account_id),
        role=role,
        state="active",
        created_at=now,
        created_by=by.name,
    )
    insert(session, ServiceAccountRow(**columns_of(account)), kind="account", name=account_id)
    return account, _new_password(account, credentials)


def renew_password(
    session: Session,
    account_id: str,
    *,
    credentials: Credentials,
    by: Actor,
    if_revision: int | None = None,
) -> tuple[Account, str]:
    """Give the user another password; the old one stops working.

    Raises:
        NotFoundError: no such account, or not `by`'s own.
        PreconditionError: it is past `if_revision`.
        ConflictError: it is deleted.
        LogError: Kafka did not confirm; try again.
    """
    row = _row(session, account_id, by=by, if_revision=if_revision)
    account = value_of(Account, row)
    check_act("account", account_id, "renewing the password", account.state, {"active"})
    renewed = replace(account, revision=account.revision + 1)
    put(row, renewed)
    return renewed, _new_password(renewed, credentials)


def delete(
    session: Session,
    account_id: str,
    *,
    by: Actor,
    now: datetime,
    if_revision: int | None = None,
) -> Account:
    """End the user: ACLs first, then the credential, by reconciliation.

    Raises:
        NotFoundError: no such account, or not `by`'s own.
        PreconditionError: it is past `if_revision`.
        ConflictError: it is deleted already.
    """
    row = _row(session, account_id, by=by, if_revision=if_revision)
    account = value_of(Account, row)
    check_act("account", account_id, "delete", account.state, {"active"})
    deleted = replace(account, state="deleted", deleted_at=now, revision=account.revision + 1)
    put(row, deleted)
    return deleted


def get(session: Session, account_id: str, *, by: Actor) -> Account:
    """One account, deleted or not.

    Raises:
        NotFoundError: no such account, or not `by`'s own.
    """
    return value_of(Account, _row(session, account_id, by=by))


def search(
    session: Session, organisation_id: str, *, by: Actor, after: str, limit: int
) -> list[Account]:
    """Accounts of an organisation, by id, from the first past `after`.

    Raises:
        NotFoundError: no such organisation, or not `by`'s own.
    """
    organisations.get(session, organisation_id, by=by)
    query = (
        select(ServiceAccountRow)
        .where(ServiceAccountRow.organisation == organisation_id, ServiceAccountRow.id > after)
        .order_by(ServiceAccountRow.id)
        .limit(limit)
    )
    return values_of(Account, session.scalars(query))


def _new_password(account: Account, credentials: Credentials) -> str:
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    credentials.set_password(account.principal, password)
    return password


def _row(
    session: Session, account_id: str, *, by: Actor, if_revision: int | None = None
) -> ServiceAccountRow:
    row = session.get(ServiceAccountRow, account_id, with_for_update=True)
    if row is None or not by.owns(row.organisation):
        raise NotFoundError("account", account_id)
    check_revision("account", account_id, row.revision, if_revision)
    return row
