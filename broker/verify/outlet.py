"""Outlet: one partition of a delivery or quarantine topic, held against what should be in it.

Retention may have taken its first records. Then what is left is searched for in what each segment
should have brought, until the two are aligned; up to there it can only be said `chain only`.
"""

from bisect import bisect_left
from dataclasses import dataclass

from broker.log.ports import Records
from broker.verify.columns import Measured, measure, same, weigh
from broker.verify.compare import Mismatch, compare
from broker.verify.cursor import Cursor

_ALIGNMENTS_MAX = 100


@dataclass(frozen=True, slots=True)
class Held:
    """What an outlet held of one segment.

    `lost`: records that retention has taken, so that nothing can be said of them; their bytes.
    """

    records: int
    billed_bytes: int
    mismatches: tuple[Mismatch, ...] = ()
    lost: int = 0
    lost_bytes: int = 0


class Outlet:
    """Reads one partition of `topic`. `cursor` None: the topic is gone."""

    def __init__(self, topic: str, cursor: Cursor | None) -> None:
        self.topic = topic
        self._cursor = cursor
        self._aligned = cursor is None or cursor.start == 0
        if cursor is not None:
            cursor.settle()
        self._first_end = 0 if cursor is None else cursor.end

    @property
    def gone(self) -> bool:
        """Whether there is no such topic."""
        return self._cursor is None

    def holds(self, expected: Records) -> Held:
        """Compare what the next records should be, as the source gives them."""
        if self._cursor is None:
            return Held(0, 0, lost=len(expected), lost_bytes=weigh(expected))
        if not self._aligned:
            lost = self._align(expected, self._cursor)
            if lost is None:
                return Held(0, 0, lost=len(expected), lost_bytes=weigh(expected))
            self._aligned = True
            rest = expected.slice(lost, len(expected))
            self._cursor.skip(len(rest))
            lost_bytes = weigh(expected.slice(0, lost))
            return Held(len(rest), weigh(rest), lost=lost, lost_bytes=lost_bytes)
        found = compare(expected, self._cursor)
        return Held(found.records, found.billed_bytes, found.mismatches)

    def holds_measured(self, wanted: Measured, first_offset: int, next_offset: int) -> Held:
        """Compare the next records with a segment's account, where the source is gone.

        The offsets are the segment's: what is missing is named by them.
        """
        if not wanted.records:
            return Held(0, 0)
        if self._cursor is None:
            return Held(0, 0, lost=wanted.records, lost_bytes=wanted.billed_bytes)
        run = self._cursor.peek(wanted.records)
        if measure(run) == wanted:
            self._aligned = True
        elif not self._aligned:
            return Held(0, 0, lost=wanted.records, lost_bytes=wanted.billed_bytes)
        self._cursor.skip(len(run))
        if measure(run) == wanted:
            return Held(len(run), weigh(run))
        if not len(run):
            missing = Mismatch("missing", wanted.records, first_offset, next_offset, in_topic=False)
            return Held(0, 0, (missing,))
        off = Mismatch("altered", len(run), run.offsets[0], run.offsets[-1] + 1, in_topic=True)
        return Held(len(run), weigh(run), (off,))

    def passed(self, count: int) -> Records | None:
        """Pass over the next records, which nobody can compare; None where they are not there."""
        if self._cursor is None or not self._aligned:
            return None
        run = self._cursor.peek(count)
        self._cursor.skip(len(run))
        return run

    def left(self) -> Records:
        """Records past what was compared, at most a thousand.

        Only those that were there when the outlet was opened: of later ones, the segment may be
        still to come.
        """
        if self._cursor is None:
            return Records([], [], [], [], [])
        run = self._cursor.peek(1_000)
        return run.slice(0, bisect_left(run.offsets, self._first_end))

    def refresh(self) -> None:
        """Read on to the topic's end as it is now."""
        if self._cursor is not None:
            self._cursor.settle()

    def lose_place(self) -> None:
        """Segments are missing: what is in the topic must be found again in those to come."""
        self._aligned = self._cursor is None

    def drop(self, count: int) -> None:
        """Pass over records that `left` gave."""
        if self._cursor is not None:
            self._cursor.skip(count)

    def _align(self, expected: Records, cursor: Cursor) -> int | None:
        """How many of `expected` retention has taken; None while that cannot be told."""
        first = cursor.peek(1)
        if not len(first) or not len(expected):
            return None
        candidates = (
            index for index in range(len(expected)) if same(expected.slice(index, index + 1), first)
        )
        for _, index in zip(range(_ALIGNMENTS_MAX), candidates, strict=False):
            rest = expected.slice(index, len(expected))
            if same(cursor.peek(len(rest)), rest):
                return index
        return None
