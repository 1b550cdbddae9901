"""What the registry is given when it is built, and what each request takes from it."""

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

from fastapi import Depends, Request
from sqlalchemy.orm import Session, sessionmaker

from broker.control import outbox
from broker.domain.actor import Actor
from broker.errors import UnauthenticatedError


class Authenticator(Protocol):
    """Knows who holds a token."""

    def __call__(self, secret: str | None) -> Actor:
        """Its holder. May read the database.

        Raises:
            UnauthenticatedError: none, unknown, revoked or expired.
        """


@dataclass(frozen=True, kw_only=True)
class RegistryServices:
    """Sessions, who is who, the time, and how long an answer waits for its event's publication."""

    sessions: sessionmaker[Session]
    authenticate: Authenticator
    clock: Callable[[], datetime]
    publication_timeout_s: float = 15.0

    def wait_published(self, seq: int) -> None:
        """Wait until routers can read a control event. Blocks; call it outside a transaction.

        Raises:
            UnavailableError: not within the time limit; the caller may ask again.
        """
        outbox.published(self.sessions, seq, timeout_s=self.publication_timeout_s)


def services(request: Request) -> RegistryServices:
    """What this app was made with."""
    given: RegistryServices = request.app.state.services
    return given


ServicesDep = Annotated[RegistryServices, Depends(services)]


def actor(request: Request, given: ServicesDep) -> Actor:
    """Who asks, by `Authorization: Bearer <token>` or `Basic <any name>:<token>`.

    Confluent's clients send the second for `basic.auth.user.info`; the name does not matter, since
    the token alone says whose it is.
    """
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return given.authenticate(sent.strip())
        case "basic":
            return given.authenticate(_password(sent.strip()))
        case _:
            return given.authenticate(None)


ActorDep = Annotated[Actor, Depends(actor)]


def session(given: ServicesDep) -> Iterator[Session]:
    """A session for reading; what changes something opens its own transaction."""
    with given.sessions() as opened:
        yield opened


SessionDep = Annotated[Session, Depends(session)]


def _password(sent: str) -> str:
    try:
        user, colon, password = base64.b64decode(sent, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise UnauthenticatedError(
            "authorization: must be base64 of name:token; set basic.auth.user.info"
        ) from error
    if not colon:
        raise UnauthenticatedError(f"authorization: {user[:3]!r}… has no token; send name:token")
    return password
