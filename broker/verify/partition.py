"""Partition: the chain of one source partition, from its first segment to the committed offset.

weir.usage ┬─▶ number follows on ─▶ walk
PostgreSQL ┘   numbers that weir.usage has lost come from PostgreSQL, which keeps them for ever
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from broker.errors import InvalidFieldError
from broker.log.ports import Consumer, TopicPartition
from broker.verify.cursor import Cursor
from broker.verify.decode import SegmentLine, segment_line
from broker.verify.segments import of_key
from broker.verify.walk import Walk

LIVE = "live"
# A transaction's markers reach its partitions one after the other; a healthy broker needs less.
_SETTLE_ROUNDS = 50
_SETTLE_S = 0.1


@dataclass(slots=True)
class Chain:
    """One chain being recounted.

    `trimmed`: retention has taken the beginning of its partition of `weir.usage`. `group`: asks for
    the router group's committed offset. `open_end`: end of that partition, open transactions too.
    """

    walk: Walk
    topic: str
    key: bytes
    usage: Cursor | None
    trimmed: bool
    group: Consumer
    open_end: Callable[[], int]
    timeout_s: float
    sleep: Callable[[float], None] = time.sleep

    def recount(self) -> None:
        """Walk all its segments, then look at what no segment accounts for."""
        before = self._committed()
        self._segments()
        self._catch_up(before)
        self._stored_alone()
        self._covered()
        self.walk.leftovers()
        self._ends(before)

    def _segments(self) -> None:
        if self.usage is None:
            return
        for segment in of_key(self.usage, self.key, self.walk.place.findings):
            if segment.flow != LIVE:
                self.walk.place.differ(
                    "chain", f"flow {segment.flow} was granted by no control event", segment
                )
            else:
                self._add(segment)

    def _add(self, segment: SegmentLine) -> None:
        number = self.walk.link.number
        if segment.number <= number:
            stored = self.walk.stored.digest_of(segment.number)
            same = "the same" if stored == segment.digest else "another"
            self.walk.place.differ(
                "chain", f"segment {segment.number} stands here again, {same} content", segment
            )
            return
        if segment.number > number + 1:
            self._fill(number + 1, segment)
        self.walk.add(segment)

    def _fill(self, number: int, until: SegmentLine) -> None:
        """Numbers that `weir.usage` does not hold before `until`."""
        while number < until.number:
            stored = self.walk.stored.at(number)
            segment = None if stored is None else self._stored_line(number, stored.canonical)
            if segment is None:
                self.walk.place.differ(
                    "chain", f"segments {number} to {until.number - 1} are missing", until
                )
                self.walk.skip_to(until)
                return
            if not self.trimmed:
                self.walk.place.differ(
                    "chain", f"segment {number} is in PostgreSQL, not in weir.usage", until
                )
            self.walk.add(segment)
            number += 1

    def _stored_line(self, number: int, canonical: bytes) -> SegmentLine | None:
        """What PostgreSQL holds of a segment that `weir.usage` does not; None: no segment."""
        try:
            return segment_line(canonical)
        except InvalidFieldError as error:
            end = self.walk.link.next_offset
            what = f"segment {number}: the stored bytes are none of a segment ({error})"
            self.walk.place.at("ledger", what, end, end)
            return None

    def _catch_up(self, committed: int) -> None:
        """Walk on until segments account for what was visible when the stores were opened."""
        if self.usage is None:
            return
        for _ in range(_SETTLE_ROUNDS):
            if committed <= self.walk.link.next_offset and not self.walk.unaccounted():
                return
            before = self.usage.end
            self.usage.refresh()
            self.walk.refresh()
            if self.usage.end == before:
                if self.open_end() == before:
                    return
                self.sleep(_SETTLE_S)
            self._segments()

    def _committed(self) -> int:
        """The router group's committed offset; 0 where there is none."""
        at = TopicPartition(self.topic, self.walk.place.partition)
        found = self.group.committed([at], timeout_s=self.timeout_s).get(at)
        return found.offset if found else 0

    def _stored_alone(self) -> None:
        """Segments that PostgreSQL holds past the end of the chain in `weir.usage`."""
        for number in self.walk.stored.misnumbered():
            what = f"a segment is in PostgreSQL under number {number}; the first is 1"
            self.walk.place.at("ledger", what, 0, 0)
        rows = self.walk.stored.canonical_beyond(self.walk.link.number)
        for number, canonical in rows:
            segment = self._stored_line(number, canonical)
            if segment is None:
                continue
            if not self.trimmed:
                what = f"segment {segment.number} is in PostgreSQL, not in weir.usage"
                self.walk.place.differ("ledger", what, segment)
            if segment.number == self.walk.link.number + 1 and self.trimmed:
                self.walk.add(segment)

    def _covered(self) -> None:
        """The ledger's row of the chain, which decides when a period is closed.

        On a working exchange it may be further on: it must then be where a stored segment is.
        """
        link, row = self.walk.link, self.walk.stored.coverage()
        if row is None:
            if link.number and self.walk.stored.at(link.number) is not None:
                self._row_differs("is not there")
            return
        if row.hole is not None:
            self._row_differs(f"waits: {row.hole}")
        if row.number > link.number:
            stored = self.walk.stored.at(row.number)
            if stored is None:
                self._row_differs(f"reaches segment {row.number}, which is not there")
            elif (row.digest, row.next_offset, row.seq, row.watermark_ms) != (
                stored.digest,
                stored.next_offset,
                stored.seq,
                stored.watermark_ms,
            ):
                self._row_differs(f"disagrees with its segment {row.number}")
        elif row.number < link.number:
            if self.walk.stored.at(link.number) is not None:
                self._row_differs(f"reaches segment {row.number}, the chain {link.number}")
        elif (row.digest, row.next_offset, row.seq, row.watermark_ms) != (
            link.digest,
            link.next_offset,
            link.seq,
            link.watermark_ms,
        ):
            self._row_differs(f"disagrees with segment {link.number}")

    def _row_differs(self, what: str) -> None:
        end = self.walk.link.next_offset
        self.walk.place.at("ledger", f"the chain's row of coverage {what}", end, end)

    def _ends(self, before: int) -> None:
        """The last segment ends where the router group's committed offset stands.

        On a running exchange the offset moves on: it was at most there before, and is at least
        there now.
        """
        reached = self.walk.link.next_offset
        now = self._committed()
        for _ in range(_SETTLE_ROUNDS):
            if now >= reached or self.open_end() == self._usage_end():
                break
            self.sleep(_SETTLE_S)
            now = self._committed()
        if self.walk.source is None or before <= reached <= now:
            return
        self.walk.place.at(
            "chain",
            f"the router group's committed offset is {now or 'not there'}, the last segment, "
            f"{self.walk.link.number}, ends at {reached}",
            min(now, reached),
            max(now, reached),
        )

    def _usage_end(self) -> int:
        if self.usage is None:
            return 0
        self.usage.refresh()
        return self.usage.end
