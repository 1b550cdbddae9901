"""API tokens: bearer tokens of one organisation, shown once, kept as SHA-256, revocable."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.control import organisations
from broker.control.rows import columns_of, value_of, values_of
from broker.domain.actor import Actor
from broker.errors import ConflictError, InvalidFieldError, NotFoundError
from broker.store.control import ApiTokenRow

TOKENS_MAX = 100
_SECRET_BYTES = 32
_ID_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What may be shown of a token at any time."""

    id: str
    organisation: str
    name: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None


def create(
    session: Session,
    organisation_id: str,
    *,
    name: str,
    expires_at: datetime | None,
    by: Actor,
    now: datetime,
) -> tuple[Token, str]:
    """Make a token. The second value is the token itself: show it now, it is not kept.

    Raises:
        NotFoundError: no such organisation, or not `by`'s own.
        InvalidFieldError: it would have expired already.
        ConflictError: the organisation has 100 usable tokens.
    """
    organisations.get(session, organisation_id, by=by)
    if expires_at is not None and expires_at <= now:
        raise InvalidFieldError("expires_at", f"must lie ahead, is {expires_at.isoformat()}")
    usable = session.scalars(
        select(ApiTokenRow.id).where(
            ApiTokenRow.organisation == organisation_id, ApiTokenRow.revoked_at.is_(None)
        )
    ).all()
    if len(usable) >= TOKENS_MAX:
        raise ConflictError(
            f"organisation {organisation_id}: has {TOKENS_MAX} tokens; revoke one first"
        )
    secret = "weir_" + secrets.token_urlsafe(_SECRET_BYTES)
    token = Token(
        id=secrets.token_hex(_ID_BYTES),
        organisation=organisation_id,
        name=name,
        created_at=now,
        created_by=by.name,
        expires_at=expires_at,
        revoked_at=None,
    )
    session.add(ApiTokenRow(sha256=sha256(secret), **columns_of(token)))
    session.flush()
    return token, secret


def authenticate(session: Session, secret: str, *, now: datetime) -> Token | None:
    """The token, if it is known, not revoked and not expired."""
    row = session.scalars(select(ApiTokenRow).where(ApiTokenRow.sha256 == sha256(secret))).first()
    if row is None or row.revoked_at is not None:
        return None
    if row.expires_at is not None and row.expires_at <= now:
        return None
    return value_of(Token, row)


def revoke(
    session: Session, organisation_id: str, token_id: str, *, by: Actor, now: datetime
) -> Token:
    """End a token; a second time changes nothing.

    Raises:
        NotFoundError: no such token, or not `by`'s own.
    """
    row = session.get(ApiTokenRow, token_id, with_for_update=True)
    if row is None or row.organisation != organisation_id or not by.owns(row.organisation):
        raise NotFoundError("token", f"{organisation_id}/{token_id}")
    row.revoked_at = row.revoked_at or now
    return value_of(Token, row)


def search(
    session: Session, organisation_id: str, *, by: Actor, after: str, limit: int
) -> list[Token]:
    """Tokens of an organisation, by id, from the first past `after`.

    Raises:
        NotFoundError: no such organisation, or not `by`'s own.
    """
    organisations.get(session, organisation_id, by=by)
    query = (
        select(ApiTokenRow)
        .where(ApiTokenRow.organisation == organisation_id, ApiTokenRow.id > after)
        .order_by(ApiTokenRow.id)
        .limit(limit)
    )
    return values_of(Token, session.scalars(query))


def sha256(secret: str) -> bytes:
    """What is kept of a token. It is 256 random bits, so no salt and no slow hash are needed."""
    return hashlib.sha256(secret.encode()).digest()
