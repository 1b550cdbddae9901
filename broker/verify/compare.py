"""Compare: the records that should be in a topic, with those that are.

Runs that agree are compared by column. Where they do not, both are searched for the place where
they agree again, so that one record too many is named alone and not with all that follow it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from broker.log.ports import Records
from broker.verify.columns import same, weigh
from broker.verify.cursor import Cursor

_NEAR_RECORDS = 64
_FAR_RECORDS = 30_000
_FAR_SEARCHES_MAX = 20


@dataclass(frozen=True, slots=True)
class Mismatch:
    """`in_topic`: the offsets are the compared topic's, else those of the source."""

    what: str
    records: int
    first_offset: int
    next_offset: int
    in_topic: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """What was read from the topic, and where it is not as it should be."""

    records: int
    billed_bytes: int
    mismatches: tuple[Mismatch, ...] = ()


def compare(expected: Records, cursor: Cursor) -> Compared:
    """Read from `cursor` what should equal `expected`, whose offsets are the source's."""
    run = cursor.peek(len(expected))
    if same(run, expected):
        cursor.skip(len(run))
        return Compared(len(run), weigh(run))
    search = _Search(expected, cursor)
    mismatches = tuple(_merged(search.mismatches()))
    return Compared(search.read_records, search.read_bytes, mismatches)


class _Search:
    def __init__(self, expected: Records, cursor: Cursor) -> None:
        self._expected = expected
        self._cursor = cursor
        self._at = 0
        self._far_searches = 0
        self.read_records = 0
        self.read_bytes = 0

    def mismatches(self) -> Iterator[Mismatch]:
        total = len(self._expected)
        while self._at < total:
            equal = self._equal_ahead()
            self._read(equal)
            self._at += equal
            if self._at == total or equal == _NEAR_RECORDS:
                continue
            step = self._next_agreement()
            if step is None:
                yield self._missing(total - self._at)
                return
            missing, present = step
            if missing == present:
                yield self._mismatch("altered", present, in_topic=True)
                self._read(present)
                self._at += missing
                continue
            if present:
                yield self._mismatch("added", present, in_topic=True)
                self._read(present)
            if missing:
                yield self._missing(missing)

    def _equal_ahead(self) -> int:
        wanted = _rows(self._expected.slice(self._at, self._at + _NEAR_RECORDS))
        found = _rows(self._cursor.peek(_NEAR_RECORDS))
        pairs = zip(wanted, found, strict=False)
        return next(
            (i for i, (one, other) in enumerate(pairs) if one != other),
            min(len(wanted), len(found)),
        )

    def _next_agreement(self) -> tuple[int, int] | None:
        """How many to pass over, of those expected and those present, until they agree again."""
        near = self._agreement(_NEAR_RECORDS)
        if near is not None or self._far_searches == _FAR_SEARCHES_MAX:
            return near
        self._far_searches += 1
        return self._agreement(_FAR_RECORDS)

    def _agreement(self, window: int) -> tuple[int, int] | None:
        present: dict[object, int] = {}
        for index, row in enumerate(_rows(self._cursor.peek(window))):
            present.setdefault(row, index)
        best: tuple[int, int] | None = None
        wanted = _rows(self._expected.slice(self._at, self._at + window))
        for missing, row in enumerate(wanted):
            if best is not None and missing >= sum(best):
                break
            if row in present and (best is None or missing + present[row] < sum(best)):
                best = (missing, present[row])
        return best

    def _read(self, count: int) -> None:
        run = self._cursor.peek(count)
        self.read_records += len(run)
        self.read_bytes += weigh(run)
        self._cursor.skip(len(run))

    def _mismatch(self, what: str, count: int, *, in_topic: bool) -> Mismatch:
        offsets = self._cursor.peek(count).offsets
        return Mismatch(what, count, offsets[0], offsets[-1] + 1, in_topic)

    def _missing(self, count: int) -> Mismatch:
        offsets = self._expected.offsets[self._at : self._at + count]
        self._at += count
        return Mismatch("missing", count, offsets[0], offsets[-1] + 1, in_topic=False)


def _rows(records: Records) -> list[object]:
    return list(
        zip(
            records.timestamps_ms,
            records.keys,
            records.values,
            records.headers,
            strict=True,
        )
    )


def _merged(mismatches: Iterator[Mismatch]) -> Iterator[Mismatch]:
    last: Mismatch | None = None
    for one in mismatches:
        if last and (last.what, last.in_topic, last.next_offset) == (
            one.what,
            one.in_topic,
            one.first_offset,
        ):
            last = replace(last, records=last.records + one.records, next_offset=one.next_offset)
        else:
            if last:
                yield last
            last = one
    if last:
        yield last
