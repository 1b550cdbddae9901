"""Desired: what the tables of the control plane ask of Kafka.

| who | may |
|---|---|
| a seller's producers | write its product topics, until they are retired |
| a seller's consumers | read its quarantine |
| a buyer's consumers | read its delivery topics, until these are gone |
| any account | groups (to read) and transactional ids (to write) that begin with `<slug>.` |

A suspended, revoked or expired buyer goes on reading what was delivered to it: it is billed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.control import cutovers, provision_outlets, provision_topics
from broker.control.provision_outlets import Holder
from broker.control.provision_values import Acl, Desired, Ending, Operation, Waiting, WantedTopic
from broker.domain import names
from broker.domain.subscription import ENDED
from broker.store.control import (
    ControlEventRow,
    PlanVersionRow,
    ProductRow,
    ServiceAccountRow,
    SubscriptionRow,
)

_READS: tuple[Operation, ...] = ("read", "describe")
_WRITES: tuple[Operation, ...] = ("write", "describe")


@dataclass(frozen=True)
class _Delivery:
    """A subscription that has, or waits for, a delivery topic."""

    row: SubscriptionRow
    product: ProductRow
    retention_ms: int


def desired(session: Session, *, usage_partitions: int, now: datetime) -> Desired:
    """What Kafka should hold and allow, as of `now`."""
    accounts = session.scalars(select(ServiceAccountRow)).all()
    products = session.scalars(select(ProductRow).where(ProductRow.state != "draft")).all()
    topical = [one for one in products if one.state != "retired" or one.topic_id is not None]
    deliveries = _deliveries(session, topical)
    running = session.scalar(
        select(ControlEventRow.seq).where(ControlEventRow.published_at.is_not(None)).limit(1)
    )
    there = provision_outlets.there(session)
    endings = tuple(_endings(session, topical, deliveries, now))
    topics = [
        provision_topics.usage_topic(partitions=usage_partitions, existed=running is not None),
        provision_topics.control_topic(existed=running is not None),
        *(topic for product in topical for topic in _product_topics(product, there)),
        *(_delivery_topic(one, there) for one in deliveries),
    ]
    return Desired(
        topics={topic.name: topic for topic in topics},
        acls=frozenset(_acls(accounts, topical, deliveries)),
        active=frozenset(one.principal for one in accounts if one.state == "active"),
        deleted=frozenset(one.principal for one in accounts if one.state == "deleted"),
        products={
            one.topic: one.id for one in topical if one.topic_id is not None and not one.ended_at
        },
        after={one.topic: _depending(one, deliveries) for one in topical},
        endings=endings,
        waiting=tuple(_waiting(topical, deliveries)),
        ended=tuple(one.id for one in topical if one.ended_at and one.state != "retired"),
        lost=provision_outlets.lost(session, _holders(topical, deliveries), endings),
    )


def _deliveries(session: Session, products: Sequence[ProductRow]) -> list[_Delivery]:
    by_id = {product.id: product for product in products}
    rows = session.execute(
        select(SubscriptionRow, PlanVersionRow.delivery_retention_ms)
        .join(
            PlanVersionRow,
            (PlanVersionRow.plan == SubscriptionRow.plan)
            & (PlanVersionRow.number == SubscriptionRow.plan_version),
        )
        .where(SubscriptionRow.state.not_in(("requested", "rejected")))
        .order_by(SubscriptionRow.id)
    )
    return [
        _Delivery(row, by_id[row.product], retention_ms)
        for row, retention_ms in rows
        # Ended before it was ever active: it never had a topic.
        if row.product in by_id and (row.state not in ENDED or row.activated_at is not None)
    ]


def _product_topics(product: ProductRow, there: Mapping[str, str]) -> Iterator[WantedTopic]:
    if product.ended_at is None:
        yield provision_topics.product_topic(
            product.topic,
            partitions=product.partitions,
            retention_ms=product.retention_ms,
            record_max_bytes=product.record_max_bytes,
            topic_id=product.topic_id,
        )
    yield provision_topics.quarantine_topic(
        product.quarantine_topic,
        partitions=product.partitions,
        retention_ms=product.retention_ms,
        bytes_max=product.quarantine_max_bytes,
        record_max_bytes=product.record_max_bytes,
        topic_id=there.get(product.quarantine_topic),
    )


def _delivery_topic(delivery: _Delivery, there: Mapping[str, str]) -> WantedTopic:
    return provision_topics.delivery_topic(
        delivery.row.delivery_topic,
        partitions=delivery.product.partitions,
        retention_ms=delivery.retention_ms,
        record_max_bytes=delivery.product.record_max_bytes,
        topic_id=there.get(delivery.row.delivery_topic),
    )


def _holders(
    products: Iterable[ProductRow], deliveries: Iterable[_Delivery]
) -> Iterator[tuple[str, Holder]]:
    for product in products:
        name = f"product {product.id}"
        held = Holder(name, "quarantine", product.published_at, product.retired_at)
        yield product.quarantine_topic, held
    for row in (one.row for one in deliveries):
        name = f"subscription {row.id}"
        yield row.delivery_topic, Holder(name, "delivery", row.activated_at, row.ended_at)


def _depending(product: ProductRow, deliveries: Iterable[_Delivery]) -> tuple[str, ...]:
    """Topics whose partitions are raised before the product's own."""
    live = [
        one.row.delivery_topic
        for one in deliveries
        if one.product.id == product.id and one.row.state not in ENDED
    ]
    return product.quarantine_topic, *live


def _acls(
    accounts: Iterable[ServiceAccountRow],
    products: Sequence[ProductRow],
    deliveries: Sequence[_Delivery],
) -> Iterator[Acl]:
    for account in accounts:
        if account.state != "active":
            continue
        who, organisation = account.principal, account.organisation
        prefix = names.group_prefix(organisation)
        sold = [one for one in products if one.organisation == organisation]
        for operation in _WRITES:
            yield Acl(who, "transactional_id", prefix, operation, prefixed=True)
        if account.role in ("producer", "both"):
            written = [one.topic for one in sold if one.state != "retired" and not one.ended_at]
            yield from _topic_acls(who, written, _WRITES)
        if account.role in ("consumer", "both"):
            bought = [
                one.row.delivery_topic for one in deliveries if one.row.organisation == organisation
            ]
            yield from _topic_acls(who, bought, _READS)
            yield from _topic_acls(who, [one.quarantine_topic for one in sold], _READS)
            for operation in _READS:
                yield Acl(who, "group", prefix, operation, prefixed=True)


def _topic_acls(who: str, topics: Iterable[str], operations: Sequence[Operation]) -> Iterator[Acl]:
    for topic in topics:
        for operation in operations:
            yield Acl(who, "topic", topic, operation)


def _endings(
    session: Session,
    products: Sequence[ProductRow],
    deliveries: Sequence[_Delivery],
    now: datetime,
) -> Iterator[Ending]:
    """Topics past their retention, cut over in every partition, of which nobody is left.

    That they are empty is seen in Kafka: records carry the source's append time, and a late router
    may have delivered some after the end.
    """
    over = [
        one
        for one in deliveries
        if one.row.ended_at is not None and _over(one.row.ended_at, one.retention_ms, now)
    ]
    cut_over = cutovers.complete(
        session, (one.row.id for one in over if one.product.ended_at is None)
    )
    for one in over:
        if one.product.ended_at is not None or one.row.id in cut_over:
            yield Ending(topic=one.row.delivery_topic)
    for product in products:
        if product.retired_at is None or not _over(product.retired_at, product.retention_ms, now):
            continue
        if all(one.row.state in ENDED for one in deliveries if one.product.id == product.id):
            yield Ending(
                topic=product.topic,
                topic_id=product.topic_id,
                product=product.id if product.ended_at is None else None,
            )
            yield Ending(topic=product.quarantine_topic)


def _over(ended_at: datetime, retention_ms: int, now: datetime) -> bool:
    return ended_at + timedelta(milliseconds=retention_ms) < now


def _waiting(products: Sequence[ProductRow], deliveries: Sequence[_Delivery]) -> Iterator[Waiting]:
    for product in products:
        if product.ended_at is not None:
            continue
        counts = dict.fromkeys([product.topic, product.quarantine_topic], product.partitions)
        if product.state == "publishing":
            yield Waiting(object_id=product.id, act="publish", topics=counts)
        elif product.state == "published" and product.published_partitions != product.partitions:
            counts |= dict.fromkeys(_depending(product, deliveries), product.partitions)
            yield Waiting(object_id=product.id, act="raise", topics=counts)
    for one in deliveries:
        if one.row.state == "activating" and one.product.state == "published":
            topics = {one.row.delivery_topic: one.product.partitions}
            yield Waiting(object_id=one.row.id, act="activate", topics=topics)
