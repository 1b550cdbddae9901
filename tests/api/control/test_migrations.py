"""Migrations: linear, safe to run from several processes, and equal to the mapped tables."""

import threading
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from broker.store.base import engine, metadata
from broker.store.migrate import migrate


def test_the_migrated_database_is_the_mapped_one(database_url: str) -> None:
    """After all migrations nothing is missing, and nothing is there that no table asks for."""
    migrate(database_url)
    database = engine(database_url)
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata())
    database.dispose()
    assert differences == []


def test_several_at_once(database_url: str) -> None:
    """Processes that start together migrate once; each returns when it is done."""
    failures: list[Any] = []

    def run() -> None:
        try:
            migrate(database_url)
        except Exception as error:  # noqa: BLE001  the test shows it
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database = engine(database_url)
    with database.connect() as connection:
        counters = connection.execute(text("SELECT id, seq FROM control_counter")).all()
    database.dispose()
    assert failures == []
    assert counters == [(1, 0)]
