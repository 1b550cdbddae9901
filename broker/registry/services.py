"""What the registry is given when it is built."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy.orm import Session, sessionmaker

from broker.domain.actor import Actor


class Authenticator(Protocol):
    """Knows who holds a token."""

    def __call__(self, secret: str) -> Actor | None:
        """Its holder; None if the token is unknown, revoked or expired. May read the database."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class RegistryServices:
    """Sessions, who is who, and how long a registration waits for its event's publication."""

    sessions: sessionmaker[Session]
    authenticate: Authenticator
    publication_timeout_s: float = 15.0
    clock: Callable[[], datetime] = _now
