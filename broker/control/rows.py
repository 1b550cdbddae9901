"""Rows and values: a table's row as a frozen value of the domain, and back."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from broker.errors import ConflictError, PreconditionError
from broker.store.base import Base

Value = TypeVar("Value")
PAGE_MAX = 200


def value_of(cls: type[Value], row: Base) -> Value:
    """The value whose fields are the row's columns of the same names."""
    names = (field.name for field in fields(cls))  # type: ignore[arg-type]
    return cls(**{name: getattr(row, name) for name in names})


def values_of(cls: type[Value], rows: Iterable[Base]) -> list[Value]:
    """`value_of`, for each row."""
    return [value_of(cls, row) for row in rows]


def columns_of(value: Any) -> dict[str, Any]:
    """Column values of a domain value."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def put(row: Base, value: Any) -> None:
    """Write the value into its row."""
    for name, column in columns_of(value).items():
        setattr(row, name, column)


def insert(session: Session, row: Base, *, kind: str, name: str) -> None:
    """Add a row whose name must never have been given before.

    Raises:
        ConflictError: it was, perhaps to something since deleted.
    """
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError as error:
        raise ConflictError(
            f"{kind} {name}: the name is taken; names are never given twice, not even after "
            "deletion, so choose another"
        ) from error


def check_revision(kind: str, name: str, revision: int, expected: int | None) -> None:
    """Do nothing, if the caller has read this revision (or did not say which).

    Raises:
        PreconditionError: it changed since.
    """
    if expected is not None and expected != revision:
        raise PreconditionError(
            f"{kind} {name}: has changed since you read it (revision {revision}, you have "
            f"{expected}); read it again"
        )
