"""Outlet: one partition of a delivery or quarantine topic, held against what should be in it.

Retention may have taken its first records. Then what is left is searched for in what each segment
should have brought, and each segment in what is left, until the two are aligned; up to there it
can only be said `chain only`. What may be left of the segment before is judged by `front`.
"""

from bisect import bisect_left
from dataclasses import dataclass
from itertools import islice

from broker.log.ports import EMPTY, Records
from broker.verify.columns import Measured, measure, same, weigh
from broker.verify.compare import Mismatch, compare
from broker.verify.cursor import Cursor
from broker.verify.decode import SegmentLine
from broker.verify.front import BEYOND_RECORDS, Account, Loss, foreign, starts
from broker.verify.removed import Removals
from broker.verify.source import offset_of

_ALIGNMENTS_MAX = 100
_DIGESTS_MAX = 16


@dataclass(frozen=True, slots=True)
class Held:
    """What an outlet held of one segment, and of the one before it if that was in doubt.

    `lost`: what retention has taken, so that nothing can be said of it.
    """

    records: int = 0
    billed_bytes: int = 0
    mismatches: tuple[Mismatch, ...] = ()
    lost: tuple[Loss, ...] = ()

    def __add__(self, other: "Held") -> "Held":
        return Held(
            self.records + other.records,
            self.billed_bytes + other.billed_bytes,
            self.mismatches + other.mismatches,
            self.lost + other.lost,
        )


class Outlet:
    """Reads one partition of `topic`. `cursor` None: the topic is gone.

    `removals`: when it was removed by hand; what is there now was begun after the last of them.
    """

    def __init__(self, topic: str, cursor: Cursor | None, removals: Removals) -> None:
        self.topic = topic
        self._cursor = cursor
        self._removals = removals
        self._cut = cursor is not None and cursor.start > 0
        self._aligned = not self._cut and not removals.removals
        self._doubtful: Account | None = None
        self._passed = 0
        self._ahead_max = BEYOND_RECORDS
        if cursor is not None:
            cursor.settle()
        self._first_end = 0 if cursor is None else cursor.end

    @property
    def gone(self) -> bool:
        """Whether there is no such topic."""
        return self._cursor is None

    def holds(self, expected: Records, segment: SegmentLine) -> Held:
        """Compare what the next records should be, as the source gives them."""
        account = Account.of(segment, len(expected), weigh(expected))
        if self._cursor is None:
            return Held(lost=account.loss(f"{self.topic} is gone"))
        sought = None
        if not self._aligned and account.records:
            sought = self._sought(expected, account, segment)
        if sought is not None:
            return sought
        found = compare(expected, self._cursor)
        return Held(found.records, found.billed_bytes, found.mismatches)

    def holds_measured(self, wanted: Measured, segment: SegmentLine) -> Held:
        """Compare the next records with a segment's account, where the source is gone.

        What is missing is named by the segment's offsets.
        """
        account = Account.of(segment, wanted.records, wanted.billed_bytes)
        if not wanted.records:
            return Held()
        if self._cursor is None:
            return Held(lost=account.loss(f"{self.topic} is gone"))
        front = Held()
        if not self._aligned:
            ahead = self._find_measured(wanted, segment, self._cursor)
            excused = self._excused(account, told=False) if ahead is None else None
            if excused is not None:
                return excused
            front = self._align(self._cursor, ahead or 0)
        run = self._cursor.peek(wanted.records)
        self._cursor.skip(len(run))
        off: tuple[Mismatch, ...] = ()
        if not len(run):
            first, end = segment.first_offset, segment.next_offset
            off = (Mismatch("missing", wanted.records, first, end, in_topic=False),)
        elif measure(run) != wanted:
            off = (Mismatch("altered", len(run), run.offsets[0], run.offsets[-1] + 1, True),)
        return front + Held(len(run), weigh(run), off)

    def passed(self, segment: SegmentLine) -> tuple[Records, bool] | None:
        """Pass over quarantine's copies of a segment, which nobody can compare: the source is gone.

        Returns:
            The copies, and whether they must be all of them; None where retention took them.
        """
        if self._cursor is None:
            return None
        run, whole = self._cursor.peek(sum(segment.refused.values())), self._aligned
        if not self._aligned:
            origins = [offset_of(headers) for headers in run.headers]
            within = range(segment.first_offset, segment.next_offset)
            stop = next((i for i, at in enumerate(origins) if at not in within), len(run))
            if not stop and (self._cut or self._removals.why(segment.watermark_ms)):
                return None
            run, self._aligned, whole = run.slice(0, stop), True, not self._cut
        self._cursor.skip(len(run))
        return run, whole

    def finish(self) -> Held:
        """What is left of the last segment, once there are no more."""
        if self._cursor is None or self._doubtful is None:
            return Held()
        run = self._cursor.peek(self._doubtful.records - 1)
        return self._align(self._cursor, bisect_left(run.offsets, self._first_end))

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
        self._aligned, self._cut = self._cursor is None, True

    def drop(self, count: int) -> None:
        """Pass over records that `left` gave."""
        if self._cursor is not None:
            self._cursor.skip(count)

    @property
    def _retention(self) -> str:
        return f"{self.topic} has lost its beginning to retention"

    def _excused(self, account: Account, *, told: bool) -> Held | None:
        """Why a segment is not there, though it was delivered; None where it must be.

        `told`: the source says record by record that nothing of it is. Else a part may be: then it
        is in doubt, and what was in doubt before is wholly gone.
        """
        removed = self._removals.why(account.watermark_ms)
        if removed is not None:
            return Held(lost=account.loss(removed))
        if not self._cut:
            self._aligned = True
            return None
        before, self._doubtful = self._doubtful, None if told else account
        self._ahead_max = self._passed + account.records + BEYOND_RECORDS
        self._passed = account.records
        lost = before.loss(self._retention) if before else ()
        return Held(lost=lost + (account.loss(self._retention) if told else ()))

    def _align(self, cursor: Cursor, ahead: int) -> Held:
        """From here on all is compared; `ahead` records are left of the segment in doubt."""
        account, self._doubtful, self._aligned = self._doubtful, None, True
        run = cursor.peek(ahead) if ahead else EMPTY
        cursor.skip(len(run))
        size_bytes, why = weigh(run), self._retention
        if account and len(run):
            why += f"; the {len(run)} records left of {account.records} have no digest"
        lost = account.loss(why, left=len(run), left_bytes=size_bytes) if account else ()
        return Held(len(run), size_bytes, tuple(foreign(run, account)), lost)

    def _sought(self, expected: Records, account: Account, segment: SegmentLine) -> Held | None:
        """Align to `expected`, or say why it is not there; None where it must be."""
        found = None if self._cursor is None else self._find(expected, self._cursor)
        if self._cursor is not None and found is not None:
            ahead, lost = found
            front = self._align(self._cursor, ahead)
            gone, rest = expected.slice(0, lost), expected.slice(lost, len(expected))
            self._cursor.skip(len(rest))
            cut = Account.of(segment, len(gone), weigh(gone)).loss(self._retention)
            return front + Held(len(rest), weigh(rest), lost=cut)
        return self._excused(account, told=True)

    def _find(self, expected: Records, cursor: Cursor) -> tuple[int, int] | None:
        """How many records stand before `expected`, and how many of it retention has taken."""
        lost = self._find_rest(expected, cursor)
        if lost is not None:
            return 0, lost
        run = cursor.peek(self._ahead_max + len(expected))
        for ahead in range(1, min(self._ahead_max, len(run) - len(expected)) + 1):
            if run.values[ahead] == expected.values[0] and same(
                run.slice(ahead, ahead + len(expected)), expected
            ):
                return ahead, 0
        return None

    def _find_rest(self, expected: Records, cursor: Cursor) -> int | None:
        first = cursor.peek(1)
        if not len(first):
            return None
        candidates = (
            index for index in range(len(expected)) if same(expected.slice(index, index + 1), first)
        )
        # Only retention takes a part: a topic that was made anew begins with a transaction.
        for index in islice(candidates, _ALIGNMENTS_MAX if self._cut else 1):
            rest = expected.slice(index, len(expected))
            if same(cursor.peek(len(rest)), rest):
                return index
        return None

    def _find_measured(self, wanted: Measured, segment: SegmentLine, cursor: Cursor) -> int | None:
        """How many records stand before those that were measured; None: these are not there."""
        run = cursor.peek(self._ahead_max + wanted.records)
        for ahead in islice(starts(run, segment, self._ahead_max), _DIGESTS_MAX):
            part = run.slice(ahead, ahead + wanted.records)
            if weigh(part) == wanted.billed_bytes and measure(part) == wanted:
                return ahead
        return None
