"""Confirm: a topic counts once every broker's metadata has it, each partition with a leader.

A router may ask any broker; one that has not heard yet would answer that there is no such topic,
and producing to that can end in a fatal error.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from broker.config import KafkaConfig
from broker.control import products, subscriptions
from broker.control.provision_kafka import Administrator, each_broker
from broker.control.provision_observed import topic_ids
from broker.control.provision_values import Desired, Waiting, WantedTopic


def confirmed(
    config: KafkaConfig, kafka: Administrator, waiting: Sequence[Waiting]
) -> tuple[list[Waiting], dict[str, str]]:
    """Those whose topics every broker has, and the ids of the topics.

    Raises:
        LogError: a broker does not answer.
    """

    def ready(metadata: Any) -> set[str]:
        return {
            one.object_id
            for one in waiting
            if all(_led(metadata, topic) >= count for topic, count in one.topics.items())
        }

    agreed = set.intersection(*each_broker(config, ready, brokers=_brokers(kafka)))
    told = [one for one in waiting if one.object_id in agreed]
    names = sorted({topic for one in told if one.act == "publish" for topic in one.topics})
    return told, topic_ids(kafka, names)


def is_gone(config: KafkaConfig, kafka: Administrator, topic: WantedTopic) -> bool:
    """Whether the topic of that id is in no broker's metadata.

    Raises:
        LogError: a broker does not answer.
    """
    found = topic_ids(kafka, [topic.name]).get(topic.name)
    if found is not None:
        return found != topic.topic_id
    return topic.name in absent(config, kafka, [topic.name])


def absent(config: KafkaConfig, kafka: Administrator, names: Collection[str]) -> frozenset[str]:
    """Those topics of which no broker knows anything.

    Raises:
        LogError: a broker does not answer.
    """
    if not names:
        return frozenset()
    known = each_broker(config, lambda metadata: set(metadata.topics), brokers=_brokers(kafka))
    return frozenset(names).difference(*known)


def tell(
    session: Session, one: Waiting, ids: Mapping[str, str], wanted: Desired, *, now: datetime
) -> None:
    """Let the object go on; its control event is written in the same transaction.

    Raises:
        ConflictError: it no longer waits.
    """
    if one.act == "activate":
        subscriptions.confirm_active(session, one.object_id, now=now)
    elif one.act == "raise":
        products.confirm_partitions(session, one.object_id, now=now)
    else:
        topic = next(name for name in one.topics if wanted.topics[name].kind == "product")
        products.confirm_published(session, one.object_id, ids[topic], now=now)


def _led(metadata: Any, topic: str) -> int:
    """How many partitions have a leader; 0 where the broker does not know the topic."""
    known = metadata.topics.get(topic)
    if known is None or known.error is not None:
        return 0
    return sum(1 for one in known.partitions.values() if one.leader >= 0)


def _brokers(kafka: Administrator) -> list[str]:
    return [f"{one.host}:{one.port}" for one in kafka.metadata().brokers.values()]
