"""Alembic's entry: runs on the connection that `broker.store.migrate` hands over.

For `alembic revision --autogenerate` name a database in WEIR_DATABASE_URL.
"""

import os

from alembic import context
from sqlalchemy import Connection, MetaData

from broker.store.base import engine, metadata


def _run(connection: Connection, compared: MetaData | None) -> None:
    context.configure(
        connection=connection, target_metadata=compared, transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is None:
    with engine(os.environ["WEIR_DATABASE_URL"]).connect() as own:
        _run(own, metadata())
        own.commit()
else:
    _run(given, None)
