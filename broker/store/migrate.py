"""Bring a database to the newest tables. Safe to call from several processes at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from broker.store.base import engine
from broker.store.locks import MIGRATE


def migrate(database_url: str) -> None:
    """Apply every migration that is missing, in one transaction each.

    A second caller waits for the first (advisory lock), then finds nothing to do.
    """
    migrations = engine(database_url)
    try:
        with migrations.connect() as connection:
            connection.execute(text("SET lock_timeout = '25s'"))
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATE})
            connection.commit()
            try:
                config = Config()
                config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": MIGRATE})
                connection.commit()
    finally:
        migrations.dispose()
