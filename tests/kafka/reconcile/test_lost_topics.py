"""Topics removed by hand: made again, and what was lost with them stands as an alarm."""

import confluent_kafka as ck
import pytest

from broker.alarms import clear_alarm
from broker.control.provision import ALARM, Provisioner
from broker.control.reconcile import acknowledge
from broker.errors import InvalidFieldError
from tests.kafka.reconcile.world import World, alarm, remove, revoke, wait

pytestmark = pytest.mark.kafka


def test_removed_delivery_topic_is_healed_and_its_loss_stands(
    market: World, slugs: tuple[str, str, str]
) -> None:
    """It is made again; that what was billed is lost stands until acknowledged, restarts or not."""
    seller, buyer, other = slugs
    topic, untouched = f"delivery.{buyer}.feed", f"delivery.{other}.feed"
    subject = f"records of subscription {buyer}/feed in {topic}"
    market.write_as_exchange(topic)
    remove(market.admin, topic)

    market.settle()

    assert len(market.admin.list_topics(timeout=10).topics[topic].partitions) == 2
    market.write_as_exchange(topic)
    assert market.can_read(buyer, topic, f"{buyer}.again") == "allowed"
    assert market.about(seller, buyer, other) == [f"missing {subject}"]
    assert alarm(subject) == 1
    only_said = (one for one in market.drift().differences if one.action is None)
    (said,) = (one for one in only_said if one.what == subject)
    assert "billed" in said.detail

    # Another process: what it knows stands in PostgreSQL.
    clear_alarm(ALARM, subject)
    market.provisioner = Provisioner(market.database, market.kafka)
    market.settle()
    assert alarm(subject) == 1
    with pytest.raises(InvalidFieldError, match=untouched):
        acknowledge(market.database, untouched, now=market.now)

    acknowledge(market.database, topic, now=market.now)
    market.settle()

    assert alarm(subject) is None
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
    remove(market.admin, topic)
    market.admin.create_topics([ck.admin.NewTopic(topic, 1)])[topic].result(10)
    wait(lambda: topic in market.admin.list_topics(timeout=10).topics, f"{topic} is made")
    assert f"differs topic {topic}" in market.about(buyer)

    market.settle()

    assert len(market.admin.list_topics(timeout=10).topics[topic].partitions) == 2
    assert market.about(buyer) == [f"missing {subject}"]
    assert alarm(subject) == 1
    with market.sessions.begin() as session:
        revoke(session, f"{buyer}/feed", market.now)
    market.settle()
    assert market.about(buyer) == []
    assert alarm(subject) is None


def test_removed_quarantine_topic_is_healed_and_its_loss_stands(
    market: World, slugs: tuple[str, str, str]
) -> None:
    """The seller's refused records are gone: that is said of the product, until acknowledged."""
    seller, _, _ = slugs
    topic = f"quarantine.{seller}.wind"
    remove(market.admin, topic)

    market.settle()

    assert topic in market.admin.list_topics(timeout=10).topics
    assert market.about(seller) == [f"missing records of product {seller}/wind in {topic}"]
    assert alarm(f"records of product {seller}/wind in {topic}") == 1
    acknowledge(market.database, topic, now=market.now)
    market.settle()
    assert market.about(seller) == []
