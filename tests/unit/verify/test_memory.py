"""The recount holds what the bound of `readers` says, however long the topics are."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from broker.log.memory import MemoryLog
from broker.log.ports import Fetched, TopicPartition
from broker.verify import readers

from .conftest import BUYERS, TOPIC, Exchange

SHARE_BYTES = 20_000
RECORD_BYTES = 1_000
SEGMENT_RECORDS = 20  # the lane's transactions in these tests
# The source, deliveries, quarantine, usage and control.
CURSORS = len(BUYERS) + 4


class Held(bytes):
    """A value that the recount got from the log; counts those that are still held, in bytes."""

    now: ClassVar[int] = 0
    peak: ClassVar[int] = 0
    read: ClassVar[int] = 0

    def __init__(self, value: bytes) -> None:
        Held.now += len(value)
        Held.read += len(value)
        Held.peak = max(Held.peak, Held.now)

    def __del__(self) -> None:
        Held.now -= len(self)


class HeldReader:
    """A reader of the memory log whose values count themselves."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def read(self, *args: Any, **kwargs: Any) -> Fetched:
        fetched: Fetched = self._reader.read(*args, **kwargs)
        values = [None if value is None else Held(value) for value in fetched.records.values]
        return replace(fetched, records=replace(fetched.records, values=values))

    def beside(self) -> "HeldReader":
        return HeldReader(self._reader.beside())


class HeldLog(MemoryLog):
    """A log whose readers are such."""

    def reader(self, *, committed: bool) -> Any:
        return HeldReader(super().reader(committed=committed))


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    """Records of a kilobyte; cursors that fetch 20 of them at a time."""
    monkeypatch.setattr(readers, "_BUFFER_BYTES_MIN", SHARE_BYTES)
    monkeypatch.setattr(readers, "_BUFFER_BYTES_MAX", SHARE_BYTES)
    made = Exchange(record_max_bytes=2 * RECORD_BYTES)
    yield made
    made.database.dispose()


def peak_bytes(exchange: Exchange) -> int:
    """The most that one recount held at a time."""
    exchange.log.__class__ = HeldLog
    Held.now = Held.peak = Held.read = 0
    report = exchange.recount()
    exchange.log.__class__ = MemoryLog
    assert [str(one) for one in report.differences] == []
    return Held.peak


@pytest.mark.parametrize("records", [300, 1_500])
@pytest.mark.parametrize("cut", [False, True])
def test_bound(large: Exchange, records: int, cut: bool) -> None:  # noqa: FBT001  a case
    """A share each, and the segments asked for; also where the source and fronts are gone."""
    values = [b"\0\0\0\0\1%d" % n + bytes(RECORD_BYTES - 9) for n in range(records)]
    large.send(TOPIC, 0, values)
    large.route()
    if cut:
        large.log.trim(TopicPartition(TOPIC, 0), records)
        for name in BUYERS:
            large.log.trim(TopicPartition(large.delivery(name), 0), records // 2)
    segments_bytes = 3 * SEGMENT_RECORDS * RECORD_BYTES
    bound_bytes = CURSORS * (SHARE_BYTES + segments_bytes)
    assert peak_bytes(large) <= bound_bytes
    assert Held.read > bound_bytes or records < 1_000
