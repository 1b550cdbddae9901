"""The outbox and its relay: contiguous seq, published in order, resumed from the log's end."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import update

from broker.avro.codec import decode_event
from broker.control import outbox, relay
from broker.control.relay import ALARM, Relay
from broker.domain.events import PeriodClosing
from broker.domain.names import CONTROL_TOPIC
from broker.errors import UnavailableError
from broker.log.memory import MemoryLog
from broker.metrics import ALARM as ALARMS
from broker.store.control import ControlCounterRow, ControlEventRow

LIMIT_S = 20.0


@pytest.fixture
def log() -> MemoryLog:
    """A log with an empty `weir.control`."""
    made = MemoryLog(now_ms=lambda: 0)
    made.create_topic(CONTROL_TOPIC)
    return made


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "_STANDBY_S", 0.02)
    monkeypatch.setattr(relay, "_REPAIR_S", 0.02)


@contextmanager
def _running(world: Any, log: MemoryLog) -> Iterator[None]:
    stop = threading.Event()
    one = Relay(world.sessions.kw["bind"], log, clock=lambda: world.now)
    thread = threading.Thread(target=one.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(LIMIT_S)
        assert not thread.is_alive()


def _append(world: Any, count: int = 1) -> int:
    with world.sessions.begin() as session:
        for n in range(count):
            seq = outbox.append(session, PeriodClosing("acme/wind", n), now=world.now)
    return seq


def _in_log(log: MemoryLog) -> list[int]:
    return [decode_event(entry.value).seq for entry in log.entries(CONTROL_TOPIC)[0]]


def _wait(condition: Callable[[], bool], why: str) -> None:
    waited = threading.Event()
    for _ in range(int(LIMIT_S / 0.02)):
        if condition():
            return
        waited.wait(0.02)
    pytest.fail(f"not within {LIMIT_S} s: {why}")


def _alarm() -> bool:
    return ALARMS.labels(kind=ALARM, subject=CONTROL_TOPIC)._value.get() == 1


def test_published_in_order(world: Any, log: MemoryLog) -> None:
    """Events from before and after the start stand in the log in the order of their seq, keyed."""
    _append(world, 3)
    with _running(world, log):
        outbox.published(world.sessions, _append(world, 2), timeout_s=LIMIT_S)
    entries = log.entries(CONTROL_TOPIC)[0]
    assert _in_log(log) == [1, 2, 3, 4, 5]
    assert [entry.key for entry in entries] == [b"1", b"2", b"3", b"4", b"5"]


def test_waiting_is_bounded(world: Any) -> None:
    """Whoever waits for an event that nobody publishes is told after its time."""
    with pytest.raises(UnavailableError, match="control event 1"):
        outbox.published(world.sessions, _append(world), timeout_s=0.05)


def test_a_rolled_back_change_leaves_no_gap(world: Any) -> None:
    """Numbers of changes that failed are given to others; many at once get each a number."""

    class ChangeFailedError(Exception):
        pass

    def change(n: int) -> None:
        with world.sessions.begin() as session:
            outbox.append(session, PeriodClosing("acme/wind", n), now=world.now)
            if n % 3 == 0:
                raise ChangeFailedError

    def attempt(n: int) -> None:
        try:
            change(n)
        except ChangeFailedError:
            failed.append(n)

    failed: list[int] = []
    threads = [threading.Thread(target=attempt, args=(n,)) for n in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with world.sessions() as session:
        rows = session.query(ControlEventRow).order_by(ControlEventRow.seq).all()
    assert len(failed) == 3
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5, 6]


def test_a_crash_between_publishing_and_marking(world: Any, log: MemoryLog) -> None:
    """What the log holds is not published again, and counts as published."""
    with _running(world, log):
        outbox.published(world.sessions, _append(world, 2), timeout_s=LIMIT_S)
    with world.sessions.begin() as session:
        session.execute(update(ControlEventRow).values(published_at=None))
    with _running(world, log):
        outbox.published(world.sessions, 2, timeout_s=LIMIT_S)
        outbox.published(world.sessions, _append(world), timeout_s=LIMIT_S)
    assert _in_log(log) == [1, 2, 3]


def test_a_database_that_was_set_back(world: Any, log: MemoryLog) -> None:
    """A database behind the log stops the relay with an alarm; repaired, it goes on."""
    with _running(world, log):
        outbox.published(world.sessions, _append(world, 3), timeout_s=LIMIT_S)
    with world.sessions.begin() as session:
        session.execute(update(ControlCounterRow).values(seq=1))
    with _running(world, log):
        _wait(_alarm, "the alarm stands")
        assert _in_log(log) == [1, 2, 3]
        with world.sessions.begin() as session:
            session.execute(update(ControlCounterRow).values(seq=3))
        _wait(lambda: not _alarm(), "the alarm is taken back")
        outbox.published(world.sessions, _append(world), timeout_s=LIMIT_S)
    assert _in_log(log) == [1, 2, 3, 4]


def test_another_database(world: Any, log: MemoryLog) -> None:
    """A database that holds another event under the log's last seq publishes nothing."""
    with _running(world, log):
        outbox.published(world.sessions, _append(world, 2), timeout_s=LIMIT_S)
    with world.sessions.begin() as session:
        session.execute(
            update(ControlEventRow).where(ControlEventRow.seq == 2).values(canonical=b"other")
        )
    _append(world)
    with _running(world, log):
        _wait(_alarm, "the alarm stands")
    assert _in_log(log) == [1, 2]


def test_one_of_two_relays(world: Any, log: MemoryLog) -> None:
    """Replicas stand by: each event is published once, and the second goes on after the first."""
    with _running(world, log):
        outbox.published(world.sessions, _append(world), timeout_s=LIMIT_S)
        with _running(world, log):
            outbox.published(world.sessions, _append(world, 3), timeout_s=LIMIT_S)
    with _running(world, log):
        outbox.published(world.sessions, _append(world), timeout_s=LIMIT_S)
    assert _in_log(log) == [1, 2, 3, 4, 5]
