"""Share: what one subscription should have got of a segment, got, and was metered for it."""

from collections.abc import Callable
from dataclasses import dataclass

from broker.verify.columns import Measured
from broker.verify.decode import Metered, SegmentLine, Withheld
from broker.verify.outlet import Outlet
from broker.verify.place import Place
from broker.verify.source import Judged
from broker.verify.spending import Spending

_NOTHING = Metered(0, 0, b"")


@dataclass(frozen=True, slots=True)
class Shares:
    """The subscriptions of one source partition, with their delivery topics.

    `opened`: opens that of a subscription which the control log has brought meanwhile.
    """

    place: Place
    deliveries: dict[str, Outlet]
    opened: Callable[[str], Outlet]
    spending: Spending

    def add(self, segment: SegmentLine, judged: Judged | None, entitled: frozenset[str]) -> None:
        """Count a segment for everybody it concerns.

        Args:
            segment: the account.
            judged: what the source says; None where it is gone.
            entitled: who is, by the control log at the segment's seq.
        """
        involved = {*segment.deliveries, *segment.undeliverable}
        if judged is None or len(judged.valid):
            involved |= entitled
        for subscription in sorted(involved):
            metered = segment.deliveries.get(subscription, _NOTHING)
            tally = self.place.findings.tally(subscription)
            tally.add("metered", metered.records, metered.billed_bytes)
            self.spending.add(subscription, segment, metered)
            if subscription in entitled:
                self._entitled(segment, judged, subscription, metered)
            elif metered.records or subscription in segment.undeliverable:
                self.place.differ(
                    "chain",
                    f"segment {segment.number} meters {metered.records} records for a subscription "
                    f"that is not entitled at control seq {segment.seq}",
                    segment,
                    subscription,
                )

    def _entitled(
        self, segment: SegmentLine, judged: Judged | None, subscription: str, metered: Metered
    ) -> None:
        due = judged.measured if judged else None
        withheld = segment.undeliverable.get(subscription)
        if withheld is not None:
            self._withheld(segment, subscription, withheld, due)
            return
        tally = self.place.findings.tally(subscription)
        if due is not None:
            tally.add("entitled", due.records, due.billed_bytes)
            nothing = not any((*due[:2], *metered[:2]))
            if not nothing and due != Measured(*metered):
                self.place.differ("chain", _metering_fault(due, metered), segment, subscription)
        if subscription not in self.deliveries:
            self.deliveries[subscription] = self.opened(subscription)
        outlet = self.deliveries[subscription]
        if judged is None:
            tally.add("unsourced", metered.records, metered.billed_bytes)
            held = outlet.holds_measured(Measured(*metered), segment)
        else:
            held = outlet.holds(judged.valid, segment)
        self.place.held("delivery", outlet, held, subscription)

    def _withheld(
        self, segment: SegmentLine, subscription: str, withheld: Withheld, due: Measured | None
    ) -> None:
        if due is not None and tuple(withheld) != due[:2]:
            what = (
                f"{withheld.records} records of {withheld.billed_bytes} bytes are named "
                f"undeliverable, entitled were {due.records} of {due.billed_bytes}"
            )
            self.place.differ("chain", what, segment, subscription)
        if subscription in segment.deliveries:
            self.place.differ("chain", "metered and undeliverable at once", segment, subscription)
        why = "the delivery topic could not be written; not billed"
        undeliverable = self.place.findings.undeliverable
        self.place.range(undeliverable, segment, why, subscription, withheld.records)


def _metering_fault(due: Measured, metered: Metered) -> str:
    if due[:2] == metered[:2]:
        return f"metered {metered.records} records with another digest than those entitled"
    return (
        f"metered {metered.records} records of {metered.billed_bytes} bytes, entitled were "
        f"{due.records} of {due.billed_bytes}"
    )
