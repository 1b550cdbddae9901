"""What all tables share: one metadata with named constraints, the engine, the migrations.

Every package's tables stand in `broker/store/<owner>.py`; `metadata()` has imported them all.
Migrations are applied in the order control, registry, ledger, billing.
"""

import importlib

from sqlalchemy import URL, Engine, MetaData, create_engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase

from broker.errors import InvalidFieldError

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


_DRIVER = "postgresql+psycopg"


def checked_url(database_url: str) -> URL:
    """The URL in its parts. What it holds is not said in errors: a password is in it.

    Raises:
        InvalidFieldError: it is no URL, or of another database.
    """
    rule = f"must be {_DRIVER}://USER:PASSWORD@HOST:PORT/DATABASE"
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError) as error:
        raise InvalidFieldError("WEIR_DATABASE_URL", f"{rule}, is no URL") from error
    if url.drivername != _DRIVER:
        raise InvalidFieldError("WEIR_DATABASE_URL", f"{rule}, begins with {url.drivername}://")
    return url


def engine(database_url: str) -> Engine:
    """A pooled engine: 10 connections, 10 s to get one, statements end after 30 s.

    Raises:
        InvalidFieldError: it is no URL of PostgreSQL.
    """
    return create_engine(
        checked_url(database_url),
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
