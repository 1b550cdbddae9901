"""Outbox: a control event is written in the transaction that made the change.

    change ─append▶ control_events ─relay▶ weir.control ─▶ every router's policy

`seq` is contiguous because the counter row stays locked until the transaction ends: a rolled-back
change gives its number back. Control changes are rare, so that lock costs nothing.
"""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session, sessionmaker

from broker.avro.codec import encode_event
from broker.domain.events import ControlEvent, Event
from broker.errors import UnavailableError
from broker.store.control import ControlCounterRow, ControlEventRow

CHANNEL = "weir_control"
_POLL_S = 0.01
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def append(session: Session, event: Event, *, now: datetime) -> int:
    """Write an event into the caller's transaction; the relay hears of it when that commits.

    Args:
        session: its transaction also holds the change that the event tells of.
        event: what routers must know.
        now: when it was decided, with a time zone.

    Returns:
        Its seq, contiguous over all events from 1.
    """
    seq = session.execute(
        update(ControlCounterRow)
        .values(seq=ControlCounterRow.seq + 1)
        .returning(ControlCounterRow.seq)
    ).scalar_one()
    at_ms = to_ms(now)
    session.add(
        ControlEventRow(
            seq=seq,
            at_ms=at_ms,
            kind=type(event).__name__,
            canonical=encode_event(ControlEvent(seq, at_ms, event)),
        )
    )
    session.execute(text(f"NOTIFY {CHANNEL}"))
    return seq


def last_seq(session: Session) -> int:
    """The last seq given out; 0 before the first event."""
    return session.scalars(select(ControlCounterRow.seq)).one()


def published(sessions: sessionmaker[Session], seq: int, *, timeout_s: float) -> None:
    """Wait until an event stands in `weir.control`. Blocks; call it outside any transaction.

    Raises:
        UnavailableError: it does not within `timeout_s`; it will still be published.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        with sessions() as session:
            row = session.get(ControlEventRow, seq)
            if row is not None and row.published_at is not None:
                return
        if time.monotonic() >= deadline:
            raise UnavailableError(
                f"control event {seq}: not published within {timeout_s} s; it is kept and will be, "
                "see weir_outbox_age_seconds"
            )
        time.sleep(_POLL_S)


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970 UTC."""
    return (at - _EPOCH) // timedelta(milliseconds=1)
