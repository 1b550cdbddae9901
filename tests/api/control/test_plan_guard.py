"""Published plan versions, against whoever reaches the database."""

from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from broker.store.migrate import migrate

PREPARE = """
INSERT INTO organisations (id, name, created_at, created_by, revision)
VALUES ('acme', 'Acme', now(), 'test', 1);
INSERT INTO products (id, organisation, title, description, classification, topic,
    quarantine_topic, subject, partitions, retention_ms, quarantine_max_bytes, record_max_bytes,
    validation, state, created_at, created_by, revision)
VALUES ('acme/wind', 'acme', '', '', 'internal', 't', 'q', 's', 1, 1, 1, 1, 'header', 'draft',
    now(), 'test', 1);
INSERT INTO plans (id, organisation, product, title, created_at, created_by, revision)
VALUES ('acme/basic', 'acme', 'acme/wind', '', now(), 'test', 1);
INSERT INTO plan_versions (plan, number, state, price, period, delivery_retention_ms, approval,
    terms, created_at, created_by, published_at, revision)
VALUES ('acme/basic', 1, 'draft', '{"a": 1}', '{}', 1, 'manual', '', now(), 'test', NULL, 1);
"""
ANOTHER_PRICE = """UPDATE plan_versions SET price = '{"a": 2}'"""


@pytest.fixture
def database(database_url: str) -> Any:
    """One draft of one plan."""
    migrate(database_url)
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text(PREPARE.replace(":", "\\:")))
    yield engine
    engine.dispose()


def _run(database: Any, statement: str) -> None:
    with database.begin() as connection:
        connection.execute(text(statement.replace(":", "\\:")))


@pytest.mark.parametrize("state", ["published", "withdrawn"])
@pytest.mark.parametrize(
    "change",
    [
        ANOTHER_PRICE,
        "UPDATE plan_versions SET terms = 'other'",
        "UPDATE plan_versions SET state = 'draft'",
        "DELETE FROM plan_versions",
    ],
)
def test_a_published_version_never_changes(database: Any, state: str, change: str) -> None:
    """Price and terms stay, it goes back to no draft, and it cannot be removed."""
    _run(database, f"UPDATE plan_versions SET state = '{state}', published_at = now()")
    with pytest.raises(DBAPIError, match="is published"):
        _run(database, change)


def test_a_draft_may_change_and_be_published_and_withdrawn(database: Any) -> None:
    """What the life of a plan version allows, the database allows."""
    _run(database, ANOTHER_PRICE)
    _run(database, "UPDATE plan_versions SET state = 'published', published_at = now()")
    _run(database, "UPDATE plan_versions SET state = 'withdrawn', revision = 2")
    with database.connect() as connection:
        assert connection.execute(text("SELECT state FROM plan_versions")).scalar() == "withdrawn"
