"""Walk: one source partition, segment by segment, through all its stores.

    weir.usage ─segment▶ ┌ source: what should have passed ┐
                         ├ delivery: what is there          ├▶ findings
                         ├ quarantine: what is there        │
                         └ PostgreSQL: what is billed       ┘

Everything stands in source order, so each store is read forward once, beside the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.log.ports import Records
from broker.verify import book
from broker.verify.chain import Link, faults, misplaced
from broker.verify.columns import Measured, weigh
from broker.verify.control import History, Rules
from broker.verify.cursor import Cursor
from broker.verify.decode import Metered, SegmentLine
from broker.verify.findings import Findings, extend
from broker.verify.outlet import Held, Outlet
from broker.verify.report import Difference, Range
from broker.verify.source import Judged, judge, unread_before
from broker.verify.spending import Spending
from broker.verify.stored import StoredChain

_NOTHING = Metered(0, 0, b"")


@dataclass(slots=True)
class Walk:
    """The recount of one (product, topic id, partition), live flow.

    `source` None: its topic is gone or was recreated. `cutover`: subscription to the first offset
    of the first segment made at or past the event that ended it.
    """

    product: str
    partition: int
    history: History
    source: Cursor | None
    deliveries: Mapping[str, Outlet]
    quarantine: Outlet
    stored: StoredChain
    spending: Spending
    findings: Findings
    link: Link = field(default_factory=Link)
    cutover: dict[str, int] = field(default_factory=dict)

    def add(self, segment: SegmentLine) -> None:
        """Recount the next segment, whose number follows on."""
        why = misplaced(self.link, segment)
        if why is not None:
            self._differ("chain", why, segment)
            return
        rules = self.history.rules(self.product, segment.seq)
        for fault in faults(self.link, segment, rules):
            self._differ("chain", fault, segment)
        self._book(segment)
        if rules is None or segment.seq > self.history.last_seq:
            self._differ(
                "chain",
                f"segment {segment.number} was made under control seq {segment.seq}, at which "
                "weir.control knows no such product",
                segment,
            )
        else:
            self._records(segment, rules)
        self.findings.segments += 1
        self.link = self.link.after(segment)

    def skip_to(self, segment: SegmentLine) -> None:
        """Go on at a segment although those before it are lost; nothing was compared up to it."""
        self.link = Link(
            segment.number - 1,
            segment.previous_digest,
            segment.first_offset,
            self.link.seq,
            self.link.watermark_ms,
        )
        if self.source is not None:
            self.source.until(segment.first_offset)
        for outlet in (*self.deliveries.values(), self.quarantine):
            outlet.lose_place()

    def refresh(self) -> None:
        """Read on to the ends of all topics as they are now."""
        if self.source is not None:
            self.source.refresh()
        for outlet in (*self.deliveries.values(), self.quarantine):
            outlet.refresh()

    def unaccounted(self) -> bool:
        """Whether an outlet holds records past the last segment."""
        return any(len(o.left()) for o in (*self.deliveries.values(), self.quarantine))

    def leftovers(self) -> None:
        """Name what outlets hold that no segment accounts for."""
        named: list[tuple[str | None, Outlet]] = [*self.deliveries.items(), (None, self.quarantine)]
        for subscription, outlet in named:
            while len(run := outlet.left()):
                self.findings.differ(
                    Difference(
                        store="delivery" if subscription else "quarantine",
                        what=f"{len(run)} records in {outlet.topic} that no segment accounts for",
                        product=self.product,
                        subscription=subscription,
                        partition=self.partition,
                        first_offset=run.offsets[0],
                        next_offset=run.offsets[-1] + 1,
                        topic=outlet.topic,
                    )
                )
                if subscription:
                    self.findings.tally(subscription).add("delivered", len(run), weigh(run))
                outlet.drop(len(run))

    def _records(self, segment: SegmentLine, rules: Rules) -> None:
        settings = rules.settings
        if settings.ended and segment.kind == "records":
            self._differ("chain", f"segment {segment.number} routes an ended topic", segment)
        if segment.partition >= settings.partitions:
            self._differ("chain", f"the product has {settings.partitions} partitions", segment)
        if segment.kind == "gap":
            self._range(self.findings.gaps, segment, segment.gap_reason or "no reason given")
        judged = self._judged(segment, rules)
        if judged is not None:
            for fault in judged.faults:
                self._differ("source", f"segment {segment.number} {fault}", segment)
            self._quarantined(segment, judged)
        involved = {*segment.deliveries, *segment.undeliverable}
        entitled = set(rules.active)
        if judged is None or len(judged.valid):
            involved |= entitled
        for subscription in sorted(involved):
            self._subscription(segment, judged, subscription, entitled=subscription in entitled)
        self._cutovers(segment, rules)

    def _judged(self, segment: SegmentLine, rules: Rules) -> Judged | None:
        """What the source says; None where nobody can know any more."""
        if segment.kind == "empty":
            return judge(_no_records(), segment, self.link, rules)
        if self.source is None:
            self._range(self.findings.chain_only, segment, "the source topic is gone")
            return None
        if not self.link.number:
            unread = unread_before(self.source, segment)
            if len(unread):
                self._differ(
                    "source",
                    f"{len(unread)} records before the first segment were never routed",
                    segment,
                    offsets=(unread.offsets[0], unread.offsets[-1] + 1),
                )
        run = self.source.until(segment.next_offset)
        if segment.first_offset < self.source.start:
            if segment.kind != "gap" or len(run):
                self._range(self.findings.chain_only, segment, "retention took the source")
            return None
        if segment.next_offset > self.source.end:
            self._differ(
                "source",
                f"segment {segment.number} covers offsets past the topic's end, {self.source.end}",
                segment,
            )
        judged = judge(run, segment, self.link, rules)
        self.findings.source_records[self.product] += judged.records
        self.findings.valid_records[self.product] += len(judged.valid)
        self.findings.refused[self.product].update(judged.refused)
        return judged

    def _quarantined(self, segment: SegmentLine, judged: Judged) -> None:
        if not len(judged.copies):
            return
        held = self.quarantine.holds(judged.copies)
        self._mismatches("quarantine", segment, self.quarantine, held, None)

    def _subscription(
        self, segment: SegmentLine, judged: Judged | None, subscription: str, *, entitled: bool
    ) -> None:
        metered = segment.deliveries.get(subscription, _NOTHING)
        withheld = segment.undeliverable.get(subscription)
        tally = self.findings.tally(subscription)
        tally.add("metered", metered.records, metered.billed_bytes)
        self.spending.add(subscription, segment, metered)
        if not entitled:
            if metered.records or withheld:
                self._differ(
                    "chain",
                    f"segment {segment.number} meters {metered.records} records for a subscription "
                    f"that is not entitled at control seq {segment.seq}",
                    segment,
                    subscription,
                )
            return
        due = judged.measured if judged else None
        if withheld is not None:
            self._withheld(segment, subscription, withheld[:2], due)
            return
        if due is not None:
            tally.add("entitled", due.records, due.billed_bytes)
            if due.records and due != Measured(*metered):
                self._differ("chain", _metering_fault(due, metered), segment, subscription)
        outlet = self.deliveries[subscription]
        held = outlet.holds(judged.valid) if judged else outlet.holds_measured(Measured(*metered))
        tally.add("delivered", held.records, held.billed_bytes)
        self._mismatches("delivery", segment, outlet, held, subscription)

    def _withheld(
        self,
        segment: SegmentLine,
        subscription: str,
        said: tuple[int, int],
        due: Measured | None,
    ) -> None:
        records, size_bytes = said
        if due is not None and said != due[:2]:
            self._differ(
                "chain",
                f"{records} records of {size_bytes} bytes are named undeliverable, entitled were "
                f"{due.records} of {due.billed_bytes}",
                segment,
                subscription,
            )
        if subscription in segment.deliveries:
            self._differ("chain", "metered and undeliverable at once", segment, subscription)
        self._range(
            self.findings.undeliverable,
            segment,
            "the delivery topic could not be written; not billed",
            subscription,
            records,
        )

    def _mismatches(
        self,
        store: str,
        segment: SegmentLine,
        outlet: Outlet,
        held: Held,
        subscription: str | None,
    ) -> None:
        for one in held.mismatches:
            self.findings.differ(
                Difference(
                    store=store,
                    what=f"{one.records} records {one.what} in {outlet.topic}",
                    product=self.product,
                    subscription=subscription,
                    partition=self.partition,
                    first_offset=one.first_offset,
                    next_offset=one.next_offset,
                    topic=outlet.topic if one.in_topic else None,
                )
            )
        if held.lost:
            gone = "is gone" if outlet.gone else "has lost its beginning to retention"
            why = f"{outlet.topic} {gone}"
            self._range(self.findings.chain_only, segment, why, subscription, held.lost)

    def _book(self, segment: SegmentLine) -> None:
        row = self.stored.at(segment.number)
        if row is None:
            self._differ("ledger", f"PostgreSQL lacks segment {segment.number}", segment)
            return
        for fault in book.segment_faults(segment, row):
            self._differ("ledger", fault, segment)
        for subscription, fault in book.usage_faults(segment, row):
            self._differ("ledger", fault, segment, subscription)
        for subscription, usage in row.usage.items():
            self.findings.tally(subscription).add("billed", usage.records, usage.billed_bytes)

    def _cutovers(self, segment: SegmentLine, rules: Rules) -> None:
        for subscription in self.deliveries:
            stopped = self.history.stopped_seq(subscription)
            if (
                stopped is not None
                and segment.seq >= stopped
                and subscription not in self.cutover
                and subscription not in rules.active
            ):
                self.cutover[subscription] = segment.first_offset

    def _differ(
        self,
        store: str,
        what: str,
        segment: SegmentLine,
        subscription: str | None = None,
        *,
        offsets: tuple[int, int] | None = None,
    ) -> None:
        first, end = offsets or (segment.first_offset, segment.next_offset)
        self.findings.differ(
            Difference(
                store=store,
                what=what,
                product=self.product,
                subscription=subscription,
                partition=self.partition,
                first_offset=first,
                next_offset=end,
            )
        )

    def _range(
        self,
        ranges: list[Range],
        segment: SegmentLine,
        why: str,
        subscription: str | None = None,
        records: int | None = None,
    ) -> None:
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


def _no_records() -> Records:
    return Records([], [], [], [], [])


def _metering_fault(due: Measured, metered: Metered) -> str:
    if due[:2] == metered[:2]:
        return f"metered {metered.records} records with another digest than those entitled"
    return (
        f"metered {metered.records} records of {metered.billed_bytes} bytes, entitled were "
        f"{due.records} of {due.billed_bytes}"
    )
