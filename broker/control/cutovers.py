"""Cutovers: where in each partition a change of a subscription took effect, proven by segments.

The cutover offset of a partition is the first offset of its first segment made under a policy at or
past the change's event. It is known once the ledger has applied that segment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broker.control import subscriptions
from broker.domain.actor import Actor
from broker.domain.segment import LIVE
from broker.errors import ConflictError
from broker.store.control import ProductRow, SubscriptionHistoryRow, SubscriptionRow
from broker.store.ledger import AppliedSegment, Chain


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


def complete(session: Session, subscriptions: Iterable[str]) -> set[str]:
    """Those of them whose last change took effect in every partition of their product.

    Two questions, however many they are: a chain never turns its `seq` back, so where it stands
    tells whether a change was passed.
    """
    changes = session.execute(
        select(SubscriptionRow.id, SubscriptionRow.product, func.max(SubscriptionHistoryRow.seq))
        .join(SubscriptionHistoryRow, SubscriptionHistoryRow.subscription == SubscriptionRow.id)
        .where(SubscriptionRow.id.in_(list(subscriptions)), SubscriptionHistoryRow.seq.is_not(None))
        .group_by(SubscriptionRow.id, SubscriptionRow.product)
    ).all()
    products = {product for _, product, _ in changes}
    reached = {
        product: (seq if proven == partitions else -1)
        for product, partitions, proven, seq in session.execute(
            select(
                ProductRow.id, ProductRow.published_partitions, func.count(), func.min(Chain.seq)
            )
            .join(Chain, (Chain.product == ProductRow.id) & (Chain.topic_id == ProductRow.topic_id))
            .where(
                ProductRow.id.in_(products),
                Chain.flow == LIVE,
                Chain.partition < ProductRow.published_partitions,
            )
            .group_by(ProductRow.id, ProductRow.published_partitions)
        )
    }
    return {
        id_ for id_, product, seq in changes if seq is not None and seq <= reached.get(product, -1)
    }


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
