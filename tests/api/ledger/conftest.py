"""A ledger on the log in memory and a real PostgreSQL."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from broker.domain.names import USAGE_TOPIC
from broker.log.memory import MemoryLog
from broker.store.base import engine
from broker.store.migrate import migrate
from tests.api.ledger.world import Ledger


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    migrate(database_url)
    made = engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def ledger(database: Engine) -> Ledger:
    log = MemoryLog(now_ms=lambda: 1_000)
    log.create_topic(USAGE_TOPIC)
    return Ledger(log, database)
