"""Cutovers: where in each partition a change of a subscription took effect, proven by segments.

The cutover offset of a partition is the first offset of its first segment made under a policy at or
past the change's event. It is known once the ledger has applied that segment.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.control import subscriptions
from broker.domain.actor import Actor
from broker.domain.segment import LIVE
from broker.errors import ConflictError
from broker.store.control import ProductRow, SubscriptionHistoryRow
from broker.store.ledger import AppliedSegment


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutover:
    """Where the last change of a subscription that routers were told of took effect.

    `offsets`: partition to cutover offset, None where no segment has proved it yet.
    """

    subscription: str
    transition: str
    seq: int
    at: datetime
    offsets: dict[int, int | None]

    @property
    def complete(self) -> bool:
        """Whether every partition has proved its own."""
        return all(offset is not None for offset in self.offsets.values())


def cutover(session: Session, subscription_id: str, *, by: Actor) -> Cutover:
    """Of the subscription's last change.

    Raises:
        NotFoundError: no such subscription, or one that `by` may not see.
        ConflictError: routers were never told of it.
    """
    subscription = subscriptions.get(session, subscription_id, by=by)
    last = session.scalars(
        select(SubscriptionHistoryRow)
        .where(
            SubscriptionHistoryRow.subscription == subscription_id,
            SubscriptionHistoryRow.seq.is_not(None),
        )
        .order_by(SubscriptionHistoryRow.number.desc())
        .limit(1)
    ).first()
    if last is None or last.seq is None:
        raise ConflictError(
            f"subscription {subscription_id}: is {subscription.state} and was never active, so "
            "there is no cutover"
        )
    product = session.get_one(ProductRow, subscription.product)
    proven = session.execute(
        select(AppliedSegment.partition, AppliedSegment.first_offset)
        .where(
            AppliedSegment.product == product.id,
            AppliedSegment.seq >= last.seq,
            AppliedSegment.topic_id == product.topic_id,
            AppliedSegment.flow == LIVE,
        )
        .order_by(AppliedSegment.partition, AppliedSegment.number)
        .distinct(AppliedSegment.partition)
    )
    offsets: dict[int, int | None] = dict.fromkeys(range(product.published_partitions or 0))
    offsets |= {row.partition: row.first_offset for row in proven}
    return Cutover(
        subscription=subscription_id,
        transition=last.transition,
        seq=last.seq,
        at=last.at,
        offsets=offsets,
    )
