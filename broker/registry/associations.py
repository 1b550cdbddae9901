"""Associations: which subject a topic's records belong to.

Clients of 2025 and later ask this before the first record. Product topics and delivery topics are
both answered with the product's subject, so that a buyer's deserialiser asks for the right one.
"""

from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broker.domain.actor import Actor
from broker.registry.errors import AssociationNotFoundError
from broker.store.control import ProductRow, SubscriptionRow

VALUE = "value"
_TOPIC = "topic"
_NAME_CHARACTERS_MAX = 249  # Kafka's own bound on a topic's name


@dataclass(frozen=True, slots=True)
class Association:
    """A topic and the subject of its values. `topic_id` is Kafka's, once it is known."""

    topic: str
    topic_id: str
    subject: str


def of_topic(
    session: Session, topic: str, *, by: Actor, resource_type: str | None, kinds: list[str]
) -> Association:
    """The subject of a topic's values.

    Args:
        session: to read with.
        topic: a product topic (its seller's or a subscriber's) or one's own delivery topic.
        by: who asks.
        resource_type: what `topic` is; None means a topic.
        kinds: what is asked for, `key` or `value`; empty means both. Keys have no association.

    Raises:
        AssociationNotFoundError: none that the caller may see; clients then fall back to
            `<topic>-value`.
    """
    wanted = resource_type in (None, _TOPIC) and (not kinds or VALUE in kinds)
    if not wanted or "\x00" in topic or len(topic) > _NAME_CHARACTERS_MAX:
        raise AssociationNotFoundError(repr(topic[:_NAME_CHARACTERS_MAX]))
    found = _product(session, topic, by) or _delivery(session, topic, by)
    if found is None:
        raise AssociationNotFoundError(topic)
    return found


def _product(session: Session, topic: str, by: Actor) -> Association | None:
    query = select(ProductRow).where(ProductRow.topic == topic)
    if by.organisation is not None:
        subscribed = (
            select(SubscriptionRow.id)
            .where(
                SubscriptionRow.product == ProductRow.id,
                SubscriptionRow.organisation == by.organisation,
                SubscriptionRow.activated_at.is_not(None),
            )
            .exists()
        )
        query = query.where(or_(ProductRow.organisation == by.organisation, subscribed))
    row = session.scalars(query).first()
    return None if row is None else Association(topic, row.topic_id or "", row.subject)


def _delivery(session: Session, topic: str, by: Actor) -> Association | None:
    query = (
        select(ProductRow.subject)
        .join(SubscriptionRow, SubscriptionRow.product == ProductRow.id)
        .where(
            SubscriptionRow.delivery_topic == topic,
            SubscriptionRow.activated_at.is_not(None),
        )
    )
    if by.organisation is not None:
        query = query.where(SubscriptionRow.organisation == by.organisation)
    subject = session.scalars(query).first()
    return None if subject is None else Association(topic, "", subject)
