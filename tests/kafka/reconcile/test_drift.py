"""Kafka follows the tables: what is made, healed, only said, or left for later."""

import uuid
from collections.abc import Callable

import confluent_kafka as ck
import pytest

from broker.control import products
from broker.control.reconcile import reconcile
from broker.domain.actor import OPERATOR
from broker.errors import LogError
from broker.store.control import ProductRow
from tests.kafka.reconcile.world import DAY_MS, World, remove

pytestmark = pytest.mark.kafka


def test_publishing_and_activation_wait_for_topics(
    market: World, slugs: tuple[str, str, str]
) -> None:
    """A product is published and a subscription active once their topics are there."""
    seller, buyer, other = slugs

    product = market.product_of(f"{seller}/wind")

    assert product.state == "published"
    assert uuid.UUID(product.topic_id)
    assert market.events()[-3:] == [
        "ProductPublished",
        "SubscriptionActivated",
        "SubscriptionActivated",
    ]
    metadata = market.admin.list_topics(timeout=10)
    for name in (product.topic, product.quarantine_topic, f"delivery.{buyer}.feed"):
        assert len(metadata.topics[name].partitions) == 2, name
    assert market.about(seller, buyer, other) == []


def test_dry_run_changes_nothing(market: World, slugs: tuple[str, str, str]) -> None:
    """A dry run names what is missing and leaves it so; a real one heals it."""
    seller, buyer, _ = slugs
    topic = f"delivery.{buyer}.feed"
    remove(market.admin, topic)

    def differs(*, dry_run: bool) -> list[str]:
        found = reconcile(market.database, market.kafka, dry_run=dry_run, now=market.now)
        return [one.what for one in found.drift.differences if buyer in one.what]

    first, second = differs(dry_run=True), differs(dry_run=True)

    assert first == second == [f"topic {topic}"]
    assert topic not in market.admin.list_topics(timeout=10).topics
    assert differs(dry_run=False) == [f"topic {topic}"]
    assert market.about(seller, buyer) == [
        f"missing records of subscription {buyer}/feed in {topic}"
    ]


def test_settings_changed_by_hand_are_set_back(market: World, slugs: tuple[str, str, str]) -> None:
    """Append time is billing time, whatever somebody sets on a product's topic."""
    seller, _, _ = slugs
    resource = ck.admin.ConfigResource(
        ck.admin.ResourceType.TOPIC,
        f"product.{seller}.wind",
        incremental_configs=[
            ck.admin.ConfigEntry(
                "message.timestamp.type",
                "CreateTime",
                incremental_operation=ck.admin.AlterConfigOpType.SET,
            )
        ],
    )
    market.admin.incremental_alter_configs([resource])[resource].result(10)

    assert market.about(seller) == [f"differs settings of product.{seller}.wind"]
    market.settle()
    assert market.about(seller) == []


def test_partitions_are_raised_downstream_first(market: World, slugs: tuple[str, str, str]) -> None:
    """More partitions: delivery and quarantine, then the product, then routers hear of it."""
    seller, buyer, _ = slugs
    with market.sessions.begin() as session:
        products.change(
            session,
            f"{seller}/wind",
            products.Changes(partitions=3),
            dispute_window_ms=30 * DAY_MS,
            by=OPERATOR,
            if_revision=None,
        )

    market.settle()

    metadata = market.admin.list_topics(timeout=10)
    for name in (f"product.{seller}.wind", f"delivery.{buyer}.feed"):
        assert len(metadata.topics[name].partitions) == 3, name
    assert market.events()[-1] == "PartitionsRaised"


def test_refusal_holds_up_nobody_else(world: World, unique: Callable[[str], str]) -> None:
    """What Kafka refuses to one organisation is said; another's product is published."""
    bad, good = unique("bad"), unique("good")
    for slug in (bad, good):
        world.organisation(slug)
    world.product(f"{bad}/wind")
    world.settle()
    # Kafka refuses to set a retention below -1.
    with world.sessions.begin() as session:
        session.get_one(ProductRow, f"{bad}/wind").retention_ms = -5
    world.product(f"{good}/wind")

    with pytest.raises(LogError, match=f"product.{bad}.wind"):
        world.settle()

    assert world.product_of(f"{good}/wind").state == "published"
    with world.sessions.begin() as session:
        session.get_one(ProductRow, f"{bad}/wind").retention_ms = 92 * DAY_MS
    world.settle()
