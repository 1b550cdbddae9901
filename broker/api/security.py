"""Who asks: a bearer token of an organisation, or the operator's."""

import hmac
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from broker.api.services import Services
from broker.control import tokens
from broker.domain.actor import OPERATOR, Actor
from broker.errors import ForbiddenError, UnauthenticatedError

_bearer = HTTPBearer(auto_error=False, description="A token of an organisation, or the operator's.")
_TOKEN_LENGTH_MAX = 200


@dataclass(frozen=True)
class Caller:
    """Who asks, and the token itself, which opens stored answers (see `idempotency`).

    `scope` names the token without giving it away.
    """

    actor: Actor
    scope: str
    token: str = field(repr=False)


def services(request: Request) -> Services:
    """What this app was made with."""
    given: Services = request.app.state.services
    return given


ServicesDep = Annotated[Services, Depends(services)]


def authenticate(given: Services, token: str | None) -> Caller:
    """The holder of a token.

    Raises:
        UnauthenticatedError: none, unknown, revoked or expired.
    """
    if not token or len(token) > _TOKEN_LENGTH_MAX or not token.isascii():
        raise UnauthenticatedError("token: send `Authorization: Bearer <token>`")
    sha256 = tokens.sha256(token)
    if given.operator_sha256 is not None and hmac.compare_digest(sha256, given.operator_sha256):
        return Caller(OPERATOR, "operator", token)
    with given.sessions() as session:
        known = tokens.authenticate(session, token, now=given.clock())
    if known is None:
        raise UnauthenticatedError("token: is unknown, expired or revoked; ask for another")
    return Caller(Actor(f"token {known.id}", known.organisation), known.id, token)


def caller(
    given: ServicesDep,
    sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """Who asks this request."""
    return authenticate(given, None if sent is None else sent.credentials)


CallerDep = Annotated[Caller, Depends(caller)]


def operator(who: CallerDep) -> Caller:
    """The operator alone.

    Raises:
        ForbiddenError: anybody else.
    """
    if who.actor.organisation is not None:
        raise ForbiddenError("only the operator may see this")
    return who


OperatorDep = Annotated[Caller, Depends(operator)]
