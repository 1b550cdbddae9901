"""Kafka follows the tables: who may what, what is healed, what is only said."""

import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import confluent_kafka as ck
import psycopg
import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient
from prometheus_client import REGISTRY
from psycopg import sql
from sqlalchemy.orm import Session

from broker.alarms import clear_alarm
from broker.control import accounts, products, subscriptions
from broker.control.provision import ALARM, Provisioner
from broker.control.reconcile import acknowledge, reconcile
from broker.domain.actor import OPERATOR
from broker.errors import InvalidFieldError, LogError
from broker.local.kafka import EmbeddedKafka
from broker.local.postgres import EmbeddedPostgres
from broker.log.kafka_errors import LIBRDKAFKA
from broker.store.base import engine
from broker.store.control import ProductRow
from broker.store.migrate import migrate

from .reconcile_world import DAY_MS, SETTLED_S, World

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def world(kafka: EmbeddedKafka, postgres: EmbeddedPostgres) -> Iterator[World]:
    """A control plane that the tests of this module share, each with names of its own."""
    name = f"reconcile_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.database_url.replace("+psycopg", ""), autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    database_url = f"{postgres.database_url.removesuffix('/weir')}/{name}"
    migrate(database_url)
    database = engine(database_url)
    yield World(database, kafka.config, datetime.now(UTC))
    database.dispose()


@pytest.fixture
def slugs(unique: Callable[[str], str]) -> tuple[str, str, str]:
    """A seller, a buyer, and a buyer whose name begins with the first one's."""
    seller, buyer = unique("farm"), unique("grid")
    return seller, buyer, f"{buyer}-energy"


@pytest.fixture
def market(world: World, slugs: tuple[str, str, str]) -> World:
    """One product, bought by both buyers; all is in place."""
    seller, buyer, other = slugs
    for slug in slugs:
        world.organisation(slug)
    world.product(f"{seller}/wind")
    world.settle()
    for slug in (buyer, other):
        world.subscription(f"{slug}/feed", f"{seller}/wind")
    world.settle()
    return world


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


def test_each_may_do_exactly_its_own(market: World, slugs: tuple[str, str, str]) -> None:
    """Who may write and read what, in which group: the whole matrix, against the broker."""
    seller, buyer, other = slugs
    product, feed = f"product.{seller}.wind", f"delivery.{buyer}.feed"
    for topic in (feed, f"delivery.{other}.feed", f"quarantine.{seller}.wind"):
        market.write_as_exchange(topic)

    writes = {
        (slug, topic): market.can_write(slug, topic)
        for slug in (seller, buyer)
        for topic in (product, feed, "weir.control", "weir.usage")
    }
    reads = {
        "own": market.can_read(buyer, feed, f"{buyer}.reader"),
        "another's": market.can_read(buyer, f"delivery.{other}.feed", f"{buyer}.reader"),
        "the other's own": market.can_read(other, f"delivery.{other}.feed", f"{other}.reader"),
        "longer name's group": market.can_read(buyer, feed, f"{other}.reader"),
        "shorter name's group": market.can_read(other, f"delivery.{other}.feed", f"{buyer}.reader"),
        "source": market.can_read(buyer, product, f"{buyer}.reader"),
        "seller of delivery": market.can_read(seller, feed, f"{seller}.reader"),
        "quarantine": market.can_read(seller, f"quarantine.{seller}.wind", f"{seller}.reader"),
        "buyer of quarantine": market.can_read(
            buyer, f"quarantine.{seller}.wind", f"{buyer}.reader"
        ),
        "control": market.can_read(buyer, "weir.control", f"{buyer}.reader"),
        "usage": market.can_read(seller, "weir.usage", f"{seller}.reader"),
    }

    assert {key for key, outcome in writes.items() if outcome == "allowed"} == {(seller, product)}
    assert {key for key, outcome in reads.items() if outcome == "allowed"} == {
        "own",
        "the other's own",
        "quarantine",
    }


def test_transactional_ids_belong_to_an_organisation(
    market: World, slugs: tuple[str, str, str]
) -> None:
    """A producer's transactional id begins with its organisation's slug and a dot."""
    seller, buyer, _ = slugs
    topic = f"product.{seller}.wind"

    assert market.can_write(seller, topic, f"{seller}.edge") == "allowed"
    assert market.can_write(seller, topic, f"{buyer}.edge") == "refused"
    assert market.can_write(seller, topic, "weir-router-0") == "refused"


def test_dry_run_changes_nothing(market: World, slugs: tuple[str, str, str]) -> None:
    """A dry run names what is missing and leaves it so; a real one heals it."""
    seller, buyer, _ = slugs
    topic = f"delivery.{buyer}.feed"
    _remove(market.admin, topic)

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


def test_removed_delivery_topic_is_healed_and_its_loss_stands(
    market: World, slugs: tuple[str, str, str]
) -> None:
    """It is made again; that what was billed is lost stands until acknowledged, restarts or not."""
    seller, buyer, other = slugs
    topic, untouched = f"delivery.{buyer}.feed", f"delivery.{other}.feed"
    subject = f"records of subscription {buyer}/feed in {topic}"
    market.write_as_exchange(topic)
    _remove(market.admin, topic)

    market.settle()

    assert len(market.admin.list_topics(timeout=10).topics[topic].partitions) == 2
    market.write_as_exchange(topic)
    assert market.can_read(buyer, topic, f"{buyer}.again") == "allowed"
    assert market.about(seller, buyer, other) == [f"missing {subject}"]
    assert _alarm(subject) == 1
    (said,) = (one for one in market.drift().unhealable if one.what == subject)
    assert "billed" in said.detail

    # Another process: what it knows stands in PostgreSQL.
    clear_alarm(ALARM, subject)
    market.provisioner = Provisioner(market.database, market.kafka)
    market.settle()
    assert _alarm(subject) == 1
    with pytest.raises(InvalidFieldError, match=untouched):
        acknowledge(market.database, untouched, now=market.now)

    acknowledge(market.database, topic, now=market.now)
    market.settle()

    assert _alarm(subject) is None
    assert market.about(seller, buyer, other) == []


def test_delivery_topic_made_again_by_hand_is_a_loss_too(
    market: World, slugs: tuple[str, str, str]
) -> None:
    """Under another id it is another topic: its settings are set back, and the loss stands.

    When the subscription ends, so does the alarm.
    """
    _, buyer, _ = slugs
    topic = f"delivery.{buyer}.feed"
    subject = f"records of subscription {buyer}/feed in {topic}"
    _remove(market.admin, topic)
    market.admin.create_topics([ck.admin.NewTopic(topic, 1)])[topic].result(10)
    _wait(lambda: topic in market.admin.list_topics(timeout=10).topics, f"{topic} is made")
    assert f"differs topic {topic}" in market.about(buyer)

    market.settle()

    assert len(market.admin.list_topics(timeout=10).topics[topic].partitions) == 2
    assert market.about(buyer) == [f"missing {subject}"]
    assert _alarm(subject) == 1
    with market.sessions.begin() as session:
        _revoke(session, f"{buyer}/feed", market.now)
    market.settle()
    assert market.about(buyer) == []
    assert _alarm(subject) is None


def test_removed_quarantine_topic_is_healed_and_its_loss_stands(
    market: World, slugs: tuple[str, str, str]
) -> None:
    """The seller's refused records are gone: that is said of the product, until acknowledged."""
    seller, _, _ = slugs
    topic = f"quarantine.{seller}.wind"
    _remove(market.admin, topic)

    market.settle()

    assert topic in market.admin.list_topics(timeout=10).topics
    assert market.about(seller) == [f"missing records of product {seller}/wind in {topic}"]
    assert _alarm(f"records of product {seller}/wind in {topic}") == 1
    acknowledge(market.database, topic, now=market.now)
    market.settle()
    assert market.about(seller) == []


def test_removed_product_topic_ends_the_product(market: World, slugs: tuple[str, str, str]) -> None:
    """A product's topic that was removed is never made again: it ends, its subscriptions too."""
    seller, _, _ = slugs
    topic = f"product.{seller}.wind"
    _remove(market.admin, topic)

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
    _remove(market.admin, topic)
    market.admin.create_topics([ck.admin.NewTopic(topic, 2)])[topic].result(10)
    _wait(lambda: topic in market.admin.list_topics(timeout=10).topics, f"{topic} is made")

    market.settle()

    assert market.product_of(f"{seller}/wind").ended_at is not None
    assert _since_the_end(market.events()) == {"SubscriptionExpired"}


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


def test_revoked_buyer_keeps_what_was_billed(market: World, slugs: tuple[str, str, str]) -> None:
    """After revocation topic and right to read stay: what is in there was billed."""
    seller, buyer, _ = slugs
    market.write_as_exchange(f"delivery.{buyer}.feed")
    with market.sessions.begin() as session:
        _revoke(session, f"{buyer}/feed", market.now)

    market.settle()

    assert market.can_read(buyer, f"delivery.{buyer}.feed", f"{buyer}.reader") == "allowed"
    assert market.about(seller, buyer) == []


def test_deleted_account_is_cut_off(market: World, slugs: tuple[str, str, str]) -> None:
    """Its ACLs go first, then its user; a connected producer is refused at its next record."""
    seller, _, _ = slugs
    topic = f"product.{seller}.wind"
    producer = ck.Producer(market.client(seller), logger=LIBRDKAFKA)
    errors: list[KafkaError | None] = []
    producer.produce(topic, b"x", on_delivery=lambda error, _: errors.append(error))
    producer.flush(10.0)
    with market.sessions.begin() as session:
        accounts.delete(session, f"{seller}/app", by=OPERATOR, now=market.now)

    market.settle()
    producer.produce(topic, b"x", on_delivery=lambda error, _: errors.append(error))
    producer.flush(10.0)

    assert errors[0] is None
    assert errors[1] is not None
    assert errors[1].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    users = market.admin.describe_user_scram_credentials().result(10)
    assert f"{seller}.app" not in users


def test_missing_user_is_named(market: World, slugs: tuple[str, str, str]) -> None:
    """A user that was removed by hand cannot be made again: its account needs another password."""
    _, buyer, _ = slugs
    market.provisioner.users.remove(f"{buyer}.app")

    found = [one for one in market.drift().unhealable if buyer in one.what]

    assert [one.what for one in found] == [f"user {buyer}.app"]
    assert "another password" in found[0].detail


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


def _alarm(subject: str) -> float | None:
    return REGISTRY.get_sample_value("weir_alarm", {"kind": ALARM, "subject": subject})


def _remove(admin: AdminClient, topic: str) -> None:
    admin.delete_topics([topic])[topic].result(10)
    _wait(lambda: topic not in admin.list_topics(timeout=10).topics, f"{topic} is gone")


def _revoke(session: Session, subscription_id: str, now: datetime) -> None:
    subscriptions.revoke(
        session, subscription_id, by=OPERATOR, reason="test", now=now, if_revision=None
    )


def _wait(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SETTLED_S
    while not happened():
        assert time.monotonic() < deadline, f"not within {SETTLED_S} s: {what}"


def _since_the_end(events: list[str]) -> set[str]:
    """Kinds of what came after the last product ended."""
    last = len(events) - events[::-1].index("TopicEnded")
    return set(events[last:])
