"""A product's topic removed by hand ends the product."""

import confluent_kafka as ck
import pytest

from tests.kafka.reconcile.world import World, remove, wait

pytestmark = pytest.mark.kafka


def test_removed_product_topic_ends_the_product(market: World, slugs: tuple[str, str, str]) -> None:
    """A product's topic that was removed is never made again: it ends, its subscriptions too."""
    seller, _, _ = slugs
    topic = f"product.{seller}.wind"
    remove(market.admin, topic)

    market.settle()

    assert market.product_of(f"{seller}/wind").ended_at is not None
    assert _since_the_end(market.events()) == {"SubscriptionExpired"}
    assert topic not in market.admin.list_topics(timeout=10).topics
    assert market.about(f"{seller}/wind") == [f"missing product {seller}/wind"]


def test_recreated_product_topic_ends_the_product(
    market: World, slugs: tuple[str, str, str]
) -> None:
    """A topic of the same name is another topic: its id differs, and the product ends."""
    seller, _, _ = slugs
    topic = f"product.{seller}.wind"
    remove(market.admin, topic)
    market.admin.create_topics([ck.admin.NewTopic(topic, 2)])[topic].result(10)
    wait(lambda: topic in market.admin.list_topics(timeout=10).topics, f"{topic} is made")

    market.settle()

    assert market.product_of(f"{seller}/wind").ended_at is not None
    assert _since_the_end(market.events()) == {"SubscriptionExpired"}


def _since_the_end(events: list[str]) -> set[str]:
    """Kinds of what came after the last product ended."""
    last = len(events) - events[::-1].index("TopicEnded")
    return set(events[last:])
