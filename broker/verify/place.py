"""Place: where the recount stands, so that whatever it finds is named with it."""

from dataclasses import dataclass

from broker.verify.decode import SegmentLine
from broker.verify.findings import Findings, extend
from broker.verify.outlet import Held, Outlet
from broker.verify.report import Difference, Range


@dataclass(frozen=True, slots=True)
class Place:
    """One source partition, and where findings go."""

    product: str
    partition: int
    findings: Findings

    def differ(
        self,
        store: str,
        what: str,
        segment: SegmentLine,
        subscription: str | None = None,
        *,
        offsets: tuple[int, int] | None = None,
        topic: str | None = None,
    ) -> None:
        """Something does not agree, in the segment's range or in `offsets` (of `topic`)."""
        first, end = offsets or (segment.first_offset, segment.next_offset)
        self.at(store, what, first, end, subscription, topic=topic)

    def at(
        self,
        store: str,
        what: str,
        first_offset: int,
        next_offset: int,
        subscription: str | None = None,
        *,
        topic: str | None = None,
    ) -> None:
        """Something does not agree in a range of offsets."""
        self.findings.differ(
            Difference(
                store=store,
                what=what,
                product=self.product,
                subscription=subscription,
                partition=self.partition,
                first_offset=first_offset,
                next_offset=next_offset,
                topic=topic,
            )
        )

    def range(
        self,
        ranges: list[Range],
        segment: SegmentLine,
        why: str,
        subscription: str | None = None,
        records: int | None = None,
    ) -> None:
        """Something is to be known of the segment's range that is no difference."""
        extend(
            ranges,
            Range(
                product=self.product,
                partition=self.partition,
                subscription=subscription,
                first_offset=segment.first_offset,
                next_offset=segment.next_offset,
                why=why,
                records=segment.source_records if records is None else records,
            ),
        )

    def held(
        self,
        store: str,
        segment: SegmentLine,
        outlet: Outlet,
        held: Held,
        subscription: str | None = None,
    ) -> None:
        """What an outlet held of a segment: mismatches are named, what retention took is listed."""
        for one in held.mismatches:
            self.differ(
                store,
                f"{one.records} records {one.what} in {outlet.topic}",
                segment,
                subscription,
                offsets=(one.first_offset, one.next_offset),
                topic=outlet.topic if one.in_topic else None,
            )
        if held.lost:
            gone = "is gone" if outlet.gone else "has lost its beginning to retention"
            why = f"{outlet.topic} {gone}"
            self.range(self.findings.chain_only, segment, why, subscription, held.lost)
