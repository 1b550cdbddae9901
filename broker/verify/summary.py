"""Summary: tallies become the rows of the report."""

from collections.abc import Iterable, Mapping, Sequence

from broker.verify.control import History
from broker.verify.findings import Findings
from broker.verify.report import Amount, SubscriptionCount
from broker.verify.rules import Subscription
from broker.verify.walk import Walk


def subscriptions(
    history: History,
    products: Iterable[str],
    findings: Findings,
    walks: Sequence[Walk],
    amounts: Mapping[str, tuple[Amount, ...]],
) -> tuple[SubscriptionCount, ...]:
    """One row a subscription of these products, by id."""
    members = [member for product in products for member in history.members(product)]
    rows = []
    for member in sorted(members, key=lambda one: one.id):
        tally = findings.tally(member.id)
        pin = member.pins[-1]
        rows.append(
            SubscriptionCount(
                subscription=member.id,
                product=member.product,
                plan=f"{pin.plan} v{pin.version}",
                entitled_records=tally.records["entitled"],
                entitled_bytes=tally.bytes["entitled"],
                delivered_records=tally.records["delivered"],
                delivered_bytes=tally.bytes["delivered"],
                metered_records=tally.records["metered"],
                metered_bytes=tally.bytes["metered"],
                billed_records=tally.records["billed"],
                billed_bytes=tally.bytes["billed"],
                unsourced_records=tally.records["unsourced"],
                unsourced_bytes=tally.bytes["unsourced"],
                lost_records=tally.records["lost"],
                lost_bytes=tally.bytes["lost"],
                invoices=amounts.get(member.id, ()),
                cutover=_cutover(history, member, walks),
            )
        )
    return tuple(rows)


def _cutover(
    history: History, member: Subscription, walks: Sequence[Walk]
) -> Mapping[int, int] | None:
    if history.stopped_seq(member.id) is None:
        return None
    return {
        walk.place.partition: walk.cutover[member.id]
        for walk in walks
        if walk.place.product == member.product and member.id in walk.cutover
    }
