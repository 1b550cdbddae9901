"""May a segment be added to its chain: each verdict; order and repetition do not matter."""

import random
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.avro.codec import encode_segment
from broker.domain.segment import GENESIS_DIGEST, Delivery, Segment
from broker.errors import CoverageHoleError
from broker.ledger.coverage import (
    NOTHING,
    Applied,
    ChainKey,
    Coverage,
    Differing,
    Entry,
    Repeated,
    Stopped,
    judge,
    place,
    settle,
)
from broker.ledger.reading import Batch, Reading
from broker.log.ports import EMPTY

TOPIC_ID = "0b5e2f64-0000-4000-8000-000000000001"
FIRST = Segment(
    topic="product.acme.wind",
    topic_id=TOPIC_ID,
    product="acme/wind",
    partition=0,
    flow="live",
    kind="records",
    number=1,
    first_offset=0,
    next_offset=50,
    seq=7,
    source_records=50,
    source_bytes=5000,
    refused=(),
    quarter_ms=900_000,
    billing_first_ms=900_001,
    watermark_ms=900_100,
    previous_digest=GENESIS_DIGEST,
    deliveries=(Delivery("sub-1", 10, 1000, bytes(32)),),
    undeliverable=(),
)


def entry(segment: Segment, offset: int = 0) -> Entry:
    """As it would stand in weir.usage."""
    canonical = encode_segment(segment)
    return Entry(offset, segment, canonical, sha256(canonical).digest())


def after(before: Entry, **changes: object) -> Entry:
    """The segment that follows on, ten offsets long, or with these changes."""
    segment = before.segment
    follows = {
        "number": segment.number + 1,
        "first_offset": segment.next_offset,
        "next_offset": segment.next_offset + 10,
        "previous_digest": before.digest,
    }
    return entry(replace(segment, **(follows | changes)), before.offset + 1)


ONE = entry(FIRST)
COVERED = Coverage(1, ONE.digest, 50, 7, 900_100)


def test_the_first_segment_begins_at_0() -> None:
    """Number 1 names the genesis digest and begins at 0: what a log lost before is a gap in it."""
    assert judge(NOTHING, ONE, None) == Applied(COVERED)
    later = judge(NOTHING, entry(replace(FIRST, first_offset=40)), None)
    assert isinstance(later, Stopped)
    assert "begins at 40, coverage ends at 0" in str(later.error)


def test_the_next_segment_moves_coverage_on() -> None:
    """Number, digest and offsets that follow on are applied."""
    two = after(ONE, seq=8)
    assert judge(COVERED, two, None) == Applied(Coverage(2, two.digest, 60, 8, 900_100))


def test_an_empty_segment_moves_seq_and_watermark_alone() -> None:
    """An empty segment has a number of its own and moves no offset."""
    empty = after(ONE, kind="empty", next_offset=50, seq=9, watermark_ms=950_000)
    assert judge(COVERED, empty, None) == Applied(Coverage(2, empty.digest, 50, 9, 950_000))


def test_a_gap_is_covered_like_records() -> None:
    """A gap segment tiles as any other."""
    gap = after(ONE, kind="gap", gap_reason="unreadable", deliveries=())
    assert isinstance(judge(COVERED, gap, None), Applied)


def test_a_replayed_segment_is_skipped() -> None:
    """The same bytes under a number already applied change nothing."""
    assert judge(COVERED, ONE, ONE.digest) == Repeated()


def test_a_rewritten_segment_is_named() -> None:
    """Other bytes under a number already applied are an error, whatever they say."""
    other = entry(replace(FIRST, source_records=11))
    verdict = judge(COVERED, other, ONE.digest)
    assert isinstance(verdict, Differing)
    assert "number 1 at offset 0 of weir.usage differs" in str(verdict.error)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"number": 3}, "number 2 is missing"),
        ({"previous_digest": bytes(32)}, "it names another segment before it"),
        ({"first_offset": 49}, "it begins at 49, coverage ends at 50"),  # overlaps
        ({"first_offset": 51}, "it begins at 51, coverage ends at 50"),  # leaves one out
        ({"next_offset": 49}, "it ends at 49, before its begin 50"),
        ({"seq": 6}, "its seq 6 is before 7"),
        ({"watermark_ms": 900_099}, "its watermark 900099 is before 900100"),
    ],
)
def test_what_does_not_follow_on_stops_the_chain(changes: dict[str, object], why: str) -> None:
    """A hole, a fork, offsets that do not tile, time or policy going back: the chain waits."""
    verdict = judge(COVERED, after(ONE, **changes), None)
    assert isinstance(verdict, Stopped)
    assert isinstance(verdict.error, CoverageHoleError)
    assert why in str(verdict.error)


def test_a_hole_stops_its_chain_alone() -> None:
    """Other chains of the partition go on, and the place to return to is kept."""
    two = after(ONE)
    three = replace(after(two), offset=5)
    other = entry(replace(FIRST, partition=1), 6)
    result = settle({ONE.chain: COVERED}, {}, [three, other])
    assert [e.segment.partition for e in result.applied] == [1]
    assert result.held == {ONE.chain: 5}
    assert "number 2 is missing" in str(result.coverage[ONE.chain].hole)
    assert place(result.held, 7) == 5
    assert place({}, 7) == 7


def test_an_applied_segment_ends_the_hole() -> None:
    """When the missing segment arrives, the hole is gone."""
    stopped = replace(COVERED, hole="number 2 is missing")
    assert settle({ONE.chain: stopped}, {}, [after(ONE)]).coverage[ONE.chain].hole is None


class Ledger:
    """The database as a dictionary, and a log of one partition which is read as the reader does."""

    def __init__(self) -> None:
        self.coverage: dict[ChainKey, Coverage] = {}
        self.rows: dict[tuple[ChainKey, int], bytes] = {}
        self.position = 0

    def run(self, log: Sequence[Entry], cuts: random.Random) -> None:
        """Read the log to its end from the stored position, in batches of random length."""
        reading = Reading(1, self.position, self.position)
        for _ in range(10 * len(log) + 10):
            if reading.expected >= len(log):
                return
            batch = self._batch(reading, len(log), cuts)
            entries = log[batch.first_offset : batch.next_offset]
            settled = settle(self.coverage, self.rows, entries)
            self.coverage = settled.coverage
            for added in settled.applied:
                assert (added.chain, added.segment.number) not in self.rows
                self.rows[added.chain, added.segment.number] = added.digest
            held = {**settled.held, **reading.held}
            self.position = max(self.position, place(held, batch.next_offset))
            if reading.settled(batch, settled, self.position):
                reading = Reading(
                    1, self.position, self.position, reread_at=dict(reading.reread_at)
                )
        raise AssertionError("reading again never ended")

    @staticmethod
    def _batch(reading: Reading, end: int, cuts: random.Random) -> Batch:
        stop = min(end, reading.expected + cuts.randint(1, 5))
        return Batch(0, reading.epoch, reading.expected, stop, EMPTY)


def chains(count: int, length: int) -> list[Entry]:
    """Valid chains, one after the other; every third segment is empty."""
    made = []
    for partition in range(count):
        last = entry(replace(FIRST, partition=partition))
        made.append(last)
        for number in range(2, length + 1):
            empty = {"kind": "empty", "next_offset": last.segment.next_offset}
            last = after(last, **(empty if number % 3 == 0 else {}))
            made.append(last)
    return made


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 3),
    length=st.integers(1, 7),
    repeats=st.integers(0, 6),
    restarts=st.integers(0, 3),
)
def test_order_repetition_and_restarts_do_not_matter(
    seed: int, count: int, length: int, repeats: int, restarts: int
) -> None:
    """Valid chains give the same rows however shuffled, repeated, cut into batches and replayed."""
    choose = random.Random(seed)  # noqa: S311  a seed replays it
    once = chains(count, length)
    log = once + [choose.choice(once) for _ in range(repeats)]
    choose.shuffle(log)
    log = [replace(e, offset=offset) for offset, e in enumerate(log)]
    ledger = Ledger()
    for end in sorted(choose.randint(0, len(log)) for _ in range(restarts)):
        ledger.run(log[:end], choose)
    ledger.run(log, choose)
    ledger.position = 0
    ledger.run(log, choose)
    assert ledger.rows == {(e.chain, e.segment.number): e.digest for e in once}
    assert ledger.position == len(log)
    assert all(c.hole is None and c.number == length for c in ledger.coverage.values())
