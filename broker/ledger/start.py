"""Start: wait in words, and not for ever, until the database has its tables and Kafka its topic."""

from collections.abc import Callable
from time import monotonic, sleep

import structlog
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from broker.domain.names import USAGE_TOPIC
from broker.errors import LogError, UnavailableError
from broker.log.ports import Log
from broker.store.ledger import UsagePosition

_EVERY_S = 1.0
_ASK_S = 5.0

_log = structlog.get_logger(__name__)


def wait_for_tables(engine: Engine, *, patience_s: float) -> None:
    """Wait until the migrations have made the ledger's tables.

    Raises:
        UnavailableError: not within `patience_s`; says what was missing.
    """

    def missing() -> str | None:
        try:
            found = inspect(engine).has_table(UsagePosition.__tablename__)
        except SQLAlchemyError as error:
            return f"the database does not answer ({_first_line(error)})"
        return None if found else "the database has no ledger tables; `weir serve` makes them"

    _wait(missing, patience_s)


def wait_for_topic(log: Log, *, patience_s: float) -> None:
    """Wait until Kafka has `weir.usage`.

    Raises:
        UnavailableError: not within `patience_s`; says what was missing.
    """
    reader = log.reader(committed=True)

    def missing() -> str | None:
        try:
            found = reader.partitions(USAGE_TOPIC, timeout_s=_ASK_S)
        except LogError as error:
            return f"Kafka does not answer ({_first_line(error)})"
        return None if found else f"Kafka has no topic {USAGE_TOPIC}; `weir serve` makes it"

    try:
        _wait(missing, patience_s)
    finally:
        reader.close()


def _wait(missing: Callable[[], str | None], patience_s: float) -> None:
    deadline_s = monotonic() + patience_s
    said = None
    while (why := missing()) is not None:
        if monotonic() >= deadline_s:
            raise UnavailableError(f"waited {patience_s:.0f} s: {why}")
        if why != said:
            _log.info("waiting", why=why, at_most_s=patience_s)
            said = why
        sleep(_EVERY_S)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
