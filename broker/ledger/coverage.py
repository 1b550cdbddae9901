"""Coverage: may this segment be added to its chain? Values in, a verdict out; no I/O, no clock.

    applied    number = last + 1, it names the stored digest, its offsets follow on
    repeated   number ≤ last with the stored digest: a replay, nothing changes
    differing  number ≤ last with another digest: somebody rewrote history; alarm, never applied
    stopped    a hole before it, or it does not follow on: its chain waits, the others go on

Offsets alone would not do: a replayed empty segment has the same first
and next offset as the place it was written at, and would turn seq and watermark back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from broker.domain.segment import GENESIS_DIGEST, Segment
from broker.errors import CoverageHoleError


class ChainKey(NamedTuple):
    """One chain: the segments of one flow of one source partition."""

    topic_id: str
    partition: int
    flow: str

    def __str__(self) -> str:
        return f"{self.topic_id}/{self.partition}/{self.flow}"


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a chain reaches: its last segment's number, digest and ends; number 0: nothing."""

    number: int
    digest: bytes
    next_offset: int
    seq: int
    watermark_ms: int
    hole: str | None = None


NOTHING = Coverage(0, GENESIS_DIGEST, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A segment as it stands in `weir.usage`: where, what, its bytes and their SHA-256."""

    offset: int
    segment: Segment
    canonical: bytes
    digest: bytes

    @property
    def chain(self) -> ChainKey:
        """The chain it belongs to."""
        return ChainKey(self.segment.topic_id, self.segment.partition, self.segment.flow)


@dataclass(frozen=True, slots=True)
class Applied:
    """Add it; `coverage` is the chain's afterwards."""

    coverage: Coverage


@dataclass(frozen=True, slots=True)
class Repeated:
    """It has been added before, byte for byte."""


@dataclass(frozen=True, slots=True)
class Differing:
    """Another segment has been added under its number."""

    error: CoverageHoleError


@dataclass(frozen=True, slots=True)
class Stopped:
    """It cannot be added before something else arrives."""

    error: CoverageHoleError


Verdict = Applied | Repeated | Differing | Stopped


def judge(coverage: Coverage, entry: Entry, stored_digest: bytes | None) -> Verdict:
    """Decide on one segment of the chain that `coverage` describes.

    `stored_digest` is that of the segment already added under the same number, None if there is
    none.
    """
    segment, last = entry.segment, coverage
    where = f"chain {entry.chain}: number {segment.number} at offset {entry.offset} of weir.usage"
    if segment.number <= last.number:
        if stored_digest == entry.digest:
            return Repeated()
        return Differing(CoverageHoleError(f"{where} differs from the segment already applied"))
    if segment.number > last.number + 1:
        missing = f"number {last.number + 1} is missing"
        return Stopped(CoverageHoleError(f"{where} cannot be applied: {missing}"))
    fault = _does_not_follow(last, segment)
    if fault:
        return Stopped(CoverageHoleError(f"{where} does not follow on: {fault}"))
    return Applied(
        Coverage(
            segment.number, entry.digest, segment.next_offset, segment.seq, segment.watermark_ms
        )
    )


def _does_not_follow(last: Coverage, segment: Segment) -> str | None:
    if segment.previous_digest != last.digest:
        return "it names another segment before it than the one applied"
    if segment.first_offset != last.next_offset:
        return f"it begins at {segment.first_offset}, coverage ends at {last.next_offset}"
    if segment.next_offset < segment.first_offset:
        return f"it ends at {segment.next_offset}, before its begin {segment.first_offset}"
    if segment.seq < last.seq:
        return f"its seq {segment.seq} is before {last.seq}"
    if segment.watermark_ms < last.watermark_ms:
        return f"its watermark {segment.watermark_ms} is before {last.watermark_ms}"
    return None


@dataclass(slots=True)
class Settlement:
    """What a run of entries does to the chains they touch.

    `held`: per stopped chain, the offset in `weir.usage` from which it must be read again.
    `healed`: the chains that were stopped and have moved on.
    """

    coverage: dict[ChainKey, Coverage]
    applied: list[Entry] = field(default_factory=list)
    differing: dict[ChainKey, CoverageHoleError] = field(default_factory=dict)
    held: dict[ChainKey, int] = field(default_factory=dict)
    healed: set[ChainKey] = field(default_factory=set)


def settle(
    coverage: Mapping[ChainKey, Coverage],
    stored: Mapping[tuple[ChainKey, int], bytes],
    entries: Iterable[Entry],
) -> Settlement:
    """Judge entries of one partition of `weir.usage`, in order, each after the one before it.

    `coverage` holds every chain that occurs in `entries` and has segments; `stored` the digests of
    those segments already added whose numbers occur in `entries`.
    """
    result = Settlement(dict(coverage))
    digests = dict(stored)
    for entry in entries:
        chain, number = entry.chain, entry.segment.number
        last = result.coverage.get(chain, NOTHING)
        match judge(last, entry, digests.get((chain, number))):
            case Applied(after):
                if last.hole is not None:
                    result.healed.add(chain)
                result.coverage[chain] = after
                result.applied.append(entry)
                digests[chain, number] = entry.digest
            case Repeated():
                pass  # a replay: it changes nothing
            case Differing(error):
                result.differing[chain] = error
            case Stopped(error):
                result.held.setdefault(chain, entry.offset)
                if last.hole is None:
                    result.coverage[chain] = replace(last, hole=str(error))
    return result


def place(held: Mapping[ChainKey, int], next_offset: int) -> int:
    """Where `weir.usage` must be read on from: the first held entry, else what comes next."""
    return min(held.values(), default=next_offset)
