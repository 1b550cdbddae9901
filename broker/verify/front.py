"""Front: what is left of a segment whose first records retention has taken from an outlet.

Only whole segments have a digest. Of a part of one it can be said what is not of it: records past
its count or bytes, or younger than its billing time. That the rest are what was delivered, or that
none of them was put there in place of one that retention took, nobody can say: chain only.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from broker.log.ports import Records
from broker.verify.columns import weigh
from broker.verify.compare import Mismatch
from broker.verify.decode import SegmentLine

# How far past the segments that may stand there the next one is looked for.
BEYOND_RECORDS = 64


@dataclass(frozen=True, slots=True)
class Loss:
    """Records that an outlet had and has no longer, of the source's offsets. `why`: says so."""

    first_offset: int
    next_offset: int
    records: int
    billed_bytes: int
    why: str


@dataclass(frozen=True, slots=True)
class Account:
    """What a segment brought into an outlet."""

    records: int
    billed_bytes: int
    first_offset: int
    next_offset: int
    watermark_ms: int

    @classmethod
    def of(cls, segment: SegmentLine, records: int, billed_bytes: int) -> "Account":
        """That of `segment`, which brought so many."""
        return cls(
            records, billed_bytes, segment.first_offset, segment.next_offset, segment.watermark_ms
        )

    def loss(self, why: str, *, left: int = 0, left_bytes: int = 0) -> tuple[Loss, ...]:
        """What is gone of it where so much is left."""
        records = self.records - left
        if records <= 0:
            return ()
        billed_bytes = max(0, self.billed_bytes - left_bytes)
        return (Loss(self.first_offset, self.next_offset, records, billed_bytes, why),)


def starts(run: Records, segment: SegmentLine, ahead_max: int) -> Iterator[int]:
    """Indexes, at most `ahead_max`, at which the records of `segment` may begin in an outlet.

    Each transaction brings one segment of a source partition and leaves a marker behind it, which
    is an offset without a record; and a segment's billing time begins with its first record.
    """
    offsets, times_ms, first_ms = run.offsets, run.timestamps_ms, segment.billing_first_ms
    for index in range(min(ahead_max + 1, len(run))):
        if (
            index == 0
            or offsets[index] != offsets[index - 1] + 1
            or times_ms[index - 1] != first_ms == times_ms[index]
        ):
            yield index


def foreign(run: Records, account: Account | None) -> Iterator[Mismatch]:
    """What shows that `run` is not all left of `account`, a part of which retention has taken."""
    if account is None:
        if len(run):
            yield _mismatch("added", len(run), run)
        return
    late = [i for i, at_ms in enumerate(run.timestamps_ms) if at_ms > account.watermark_ms]
    if late:
        yield _mismatch("added", len(late), run.take(late))
    over = len(run) - len(late) - (account.records - 1)
    if over > 0 or (not late and weigh(run) > account.billed_bytes):
        yield _mismatch("added or altered", max(over, 1), run)


def _mismatch(what: str, count: int, run: Records) -> Mismatch:
    return Mismatch(what, count, run.offsets[0], run.offsets[-1] + 1, in_topic=True)
