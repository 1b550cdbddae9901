"""What the API is made of: handed in once, frozen."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session, sessionmaker

from broker.control.ports import Credentials
from broker.control.retention import DISPUTE_WINDOW_DEFAULT_MS
from broker.log.ports import Log


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the control plane assumes; another in tests. Units: milliseconds, hours."""

    dispute_window_ms: int = DISPUTE_WINDOW_DEFAULT_MS
    idempotency_kept_h: int = 24


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything a request may need.

    Args:
        sessions: makes database sessions.
        clock: the present, with a time zone.
        log: the port to Kafka, for `check`.
        credentials: where SCRAM users are made.
        operator_sha256: SHA-256 of the operator's token; None admits no operator.
        settings: see `Settings`.
    """

    sessions: sessionmaker[Session]
    clock: Callable[[], datetime]
    log: Log
    credentials: Credentials
    operator_sha256: bytes | None = field(repr=False)
    settings: Settings = Settings()
