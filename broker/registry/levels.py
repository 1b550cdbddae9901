"""Levels: which compatibility mode holds for a subject.

    subject's own ─or▶ its organisation's ─or▶ the exchange's ─or▶ BACKWARD

What Confluent calls global is here an organisation's; an operator's global is the exchange's.
"""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from broker.avro.modes import Mode
from broker.domain.actor import Actor
from broker.registry.errors import InvalidLevelError, LevelNotFoundError
from broker.store.registry import LevelRow, SubjectRow

DEFAULT = Mode.BACKWARD
_EXCHANGE = ""


def parse(level: str) -> Mode:
    """A level as a client writes it.

    Raises:
        InvalidLevelError: it is none of the seven.
    """
    try:
        return Mode(level.upper())
    except ValueError as error:
        raise InvalidLevelError(
            "compatibility", f"must be one of {', '.join(Mode)}, is {level[:100]!r}"
        ) from error


def of_subject(session: Session, subject: str) -> Mode | None:
    """The subject's own level, if it has one."""
    query = select(SubjectRow.compatibility).where(SubjectRow.name == subject)
    level = session.scalars(query).first()
    return None if level is None else Mode(level)


def effective(session: Session, organisation: str, subject: str | None = None) -> Mode:
    """The level that holds."""
    own = of_subject(session, subject) if subject is not None else None
    if own is not None:
        return own
    for scope in (organisation, _EXCHANGE):
        row = session.get(LevelRow, scope)
        if row is not None:
            return Mode(row.compatibility)
    return DEFAULT


def general(session: Session, *, by: Actor) -> Mode:
    """The level of the caller's subjects that have none of their own."""
    return effective(session, by.organisation or _EXCHANGE)


def set_general(session: Session, level: Mode, *, by: Actor) -> None:
    """Set it."""
    statement = insert(LevelRow).values(
        organisation=by.organisation or _EXCHANGE, compatibility=level.value
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[LevelRow.organisation], set_={"compatibility": level.value}
        )
    )


def clear_general(session: Session, *, by: Actor) -> Mode:
    """Go back to the exchange's level, or BACKWARD; gives the level that held."""
    held = general(session, by=by)
    row = session.get(LevelRow, by.organisation or _EXCHANGE)
    if row is not None:
        session.delete(row)
    return held


def set_own(subject: SubjectRow, level: Mode) -> None:
    """Set a subject's own level."""
    subject.compatibility = level.value


def clear_own(subject: SubjectRow) -> Mode:
    """Drop a subject's own level; gives the level that held.

    Raises:
        LevelNotFoundError: it has none.
    """
    if subject.compatibility is None:
        raise LevelNotFoundError(subject.name)
    held = Mode(subject.compatibility)
    subject.compatibility = None
    return held
