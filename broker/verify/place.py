"""Place: where the recount stands, so that whatever it finds is named with it."""

from dataclasses import dataclass

from broker.verify.decode import SegmentLine
from broker.verify.findings import Findings, extend
from broker.verify.front import Loss
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
        records = segment.source_records if records is None else records
        first, end = segment.first_offset, segment.next_offset
        self._extend(ranges, subscription, Loss(first, end, records, 0, why))

    def held(self, store: str, outlet: Outlet, held: Held, subscription: str | None = None) -> None:
        """What an outlet held: it is counted, mismatches are named, what it has lost is listed."""
        for one in held.mismatches:
            self.at(
                store,
                f"{one.records} records {one.what} in {outlet.topic}",
                one.first_offset,
                one.next_offset,
                subscription,
                topic=outlet.topic if one.in_topic else None,
            )
        for loss in held.lost:
            self._extend(self.findings.chain_only, subscription, loss)
        if subscription is not None:
            tally = self.findings.tally(subscription)
            tally.add("delivered", held.records, held.billed_bytes)
            for loss in held.lost:
                tally.add("lost", loss.records, loss.billed_bytes)

    def _extend(self, ranges: list[Range], subscription: str | None, loss: Loss) -> None:
        extend(
            ranges,
            Range(
                product=self.product,
                partition=self.partition,
                subscription=subscription,
                first_offset=loss.first_offset,
                next_offset=loss.next_offset,
                why=loss.why,
                records=loss.records,
            ),
        )
