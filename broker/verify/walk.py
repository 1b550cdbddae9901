"""Walk: one source partition, segment by segment, through all its stores.

    weir.usage ─segment▶ ┌ source: what should have passed ┐
                         ├ delivery: what is there          ├▶ findings
                         ├ quarantine: what is there        │
                         └ PostgreSQL: what is billed       ┘

Everything stands in source order, so each store is read forward once, beside the others.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from broker.log.ports import Records
from broker.verify import book
from broker.verify.chain import Link, faults, misplaced
from broker.verify.columns import weigh
from broker.verify.cursor import Cursor
from broker.verify.decode import SegmentLine
from broker.verify.events import ControlLog
from broker.verify.outlet import Outlet
from broker.verify.place import Place
from broker.verify.rules import Rules
from broker.verify.share import Shares
from broker.verify.source import Judged, judge, reasons_of, unread_before
from broker.verify.stored import StoredChain


@dataclass(slots=True)
class Walk:
    """The recount of one source partition, live flow.

    `source` None: its topic is gone or was recreated. `cutover`: subscription to the first offset
    of the first segment made at or past the event that stopped it.
    """

    place: Place
    control: ControlLog
    source: Cursor | None
    shares: Shares
    quarantine: Outlet
    stored: StoredChain
    link: Link = field(default_factory=Link)
    cutover: dict[str, int] = field(default_factory=dict)

    def add(self, segment: SegmentLine) -> None:
        """Recount the next segment, whose number follows on."""
        why = misplaced(self.link, segment)
        if why is not None:
            self.place.differ("chain", why, segment)
            return
        rules = self.control.rules(self.place.product, segment.seq)
        for fault in faults(self.link, segment, rules):
            self.place.differ("chain", fault, segment)
        self._book(segment)
        if rules is None:
            self.place.differ(
                "chain",
                f"segment {segment.number} was made under control seq {segment.seq}, at which "
                "weir.control knows no such product",
                segment,
            )
        else:
            self._records(segment, rules)
        self.place.findings.segments += 1
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
        for _, outlet in self._outlets():
            outlet.lose_place()

    def refresh(self) -> None:
        """Read on to the ends of all topics as they are now."""
        if self.source is not None:
            self.source.refresh()
        for _, outlet in self._outlets():
            outlet.refresh()

    def unaccounted(self) -> bool:
        """Whether an outlet holds records past the last segment."""
        return any(len(outlet.left()) for _, outlet in self._outlets())

    def leftovers(self) -> None:
        """Name what outlets hold that no segment accounts for."""
        for subscription, outlet in self._outlets():
            store = "delivery" if subscription else "quarantine"
            self.place.held(store, outlet, outlet.finish(), subscription)
            while len(run := outlet.left()):
                self.place.at(
                    store,
                    f"{len(run)} records in {outlet.topic} that no segment accounts for",
                    run.offsets[0],
                    run.offsets[-1] + 1,
                    subscription,
                    topic=outlet.topic,
                )
                if subscription:
                    tally = self.place.findings.tally(subscription)
                    tally.add("delivered", len(run), weigh(run))
                outlet.drop(len(run))

    def _outlets(self) -> Iterator[tuple[str | None, Outlet]]:
        yield from self.shares.deliveries.items()
        yield None, self.quarantine

    def _records(self, segment: SegmentLine, rules: Rules) -> None:
        settings = rules.settings
        if settings.ended and segment.kind == "records":
            self.place.differ("chain", f"segment {segment.number} routes an ended topic", segment)
        if segment.partition >= settings.partitions:
            what = f"the product has {settings.partitions} partitions at seq {segment.seq}"
            self.place.differ("chain", what, segment)
        if segment.kind == "gap":
            gaps = self.place.findings.gaps
            self.place.range(gaps, segment, segment.gap_reason or "no reason given")
        judged = self._judged(segment, rules)
        if judged is not None:
            for fault in judged.faults:
                self.place.differ("source", f"segment {segment.number} {fault}", segment)
            if len(judged.copies):
                held = self.quarantine.holds(judged.copies, segment)
                self.place.held("quarantine", self.quarantine, held)
        elif segment.refused:
            self._refused_unseen(segment)
        self.shares.add(segment, judged, frozenset(rules.active))
        self._cutovers(segment, rules)

    def _judged(self, segment: SegmentLine, rules: Rules) -> Judged | None:
        """What the source says; None where nobody can know any more."""
        findings = self.place.findings
        if segment.kind == "empty":
            return judge(Records([], [], [], [], []), segment, self.link, rules)
        if self.source is None:
            self.place.range(findings.chain_only, segment, "the source topic is gone")
            return None
        if segment.next_offset > self.source.end:
            # Its end is a snapshot; on a working exchange the segment may be younger.
            self.source.refresh()
        if not self.link.number:
            self._never_routed(segment, unread_before(self.source, segment))
        run = self.source.until(segment.next_offset)
        if segment.first_offset < self.source.start:
            if segment.kind != "gap" or len(run):
                self.place.range(findings.chain_only, segment, "retention took the source")
            return None
        if segment.next_offset > self.source.end:
            what = f"segment {segment.number} covers offsets past the end, {self.source.end}"
            self.place.differ("source", what, segment)
        judged = judge(run, segment, self.link, rules)
        findings.source_records[self.place.product] += judged.records
        findings.valid_records[self.place.product] += len(judged.valid)
        findings.refused[self.place.product].update(judged.refused)
        return judged

    def _refused_unseen(self, segment: SegmentLine) -> None:
        """The source is gone: of its quarantine copies only the reasons can be counted."""
        passed = self.quarantine.passed(segment)
        if passed is None:
            return
        run, whole = passed
        found, said = reasons_of(run), Counter(segment.refused)
        if found != said if whole else not found <= said:
            what = f"{self.quarantine.topic} holds {dict(found)}, the segment says {dict(said)}"
            self.place.differ("quarantine", what, segment)

    def _never_routed(self, segment: SegmentLine, unread: Records) -> None:
        if len(unread):
            self.place.differ(
                "source",
                f"{len(unread)} records before the first segment were never routed",
                segment,
                offsets=(unread.offsets[0], unread.offsets[-1] + 1),
            )

    def _book(self, segment: SegmentLine) -> None:
        row = self.stored.at(segment.number)
        if row is None:
            self.place.differ("ledger", f"PostgreSQL lacks segment {segment.number}", segment)
            return
        for fault in book.segment_faults(segment, row):
            self.place.differ("ledger", fault, segment)
        for subscription, fault in book.usage_faults(segment, row):
            self.place.differ("ledger", fault, segment, subscription)
        for subscription, usage in row.usage.items():
            tally = self.place.findings.tally(subscription)
            tally.add("billed", usage.records, usage.billed_bytes)

    def _cutovers(self, segment: SegmentLine, rules: Rules) -> None:
        for subscription in self.shares.deliveries:
            stopped = self.control.history.stopped_seq(subscription)
            if (
                stopped is not None
                and segment.seq >= stopped
                and subscription not in self.cutover
                and subscription not in rules.active
            ):
                self.cutover[subscription] = segment.first_offset
