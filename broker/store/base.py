"""What all tables share: one metadata with named constraints, the engine, the migrations.

Every package's tables stand in `broker/store/<owner>.py`; `metadata()` has imported them all.
Migrations are applied in the order control, registry, ledger, billing.
"""

import importlib

from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.orm import DeclarativeBase

OWNERS = ("control", "registry", "ledger", "billing")


class Base(DeclarativeBase):
    """Root of the mapped classes."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def metadata() -> MetaData:
    """The metadata with every owner's tables."""
    for owner in OWNERS:
        importlib.import_module(f"broker.store.{owner}")
    return Base.metadata


def engine(database_url: str) -> Engine:
    """A pooled engine: 10 connections, 10 s to get one, statements end after 30 s."""
    return create_engine(
        database_url,
        pool_size=10,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 5,
            "options": "-c statement_timeout=30000 -c timezone=UTC",
            "application_name": "weir",
        },
    )
