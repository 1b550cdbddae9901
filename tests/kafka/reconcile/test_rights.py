"""Kafka follows the tables: who may what."""

import confluent_kafka as ck
import pytest
from confluent_kafka import KafkaError

from broker.control import accounts
from broker.control.provision_users import BARRED_ITERATIONS
from broker.domain.actor import OPERATOR
from broker.log.kafka_errors import LIBRDKAFKA
from tests.kafka.reconcile.world import World, revoke

pytestmark = pytest.mark.kafka


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


def test_revoked_buyer_keeps_what_was_billed(market: World, slugs: tuple[str, str, str]) -> None:
    """After revocation topic and right to read stay: what is in there was billed."""
    seller, buyer, _ = slugs
    market.write_as_exchange(f"delivery.{buyer}.feed")
    with market.sessions.begin() as session:
        revoke(session, f"{buyer}/feed", market.now)

    market.settle()

    assert market.can_read(buyer, f"delivery.{buyer}.feed", f"{buyer}.reader") == "allowed"
    assert market.about(seller, buyer) == []


def test_deleted_account_is_cut_off(market: World, slugs: tuple[str, str, str]) -> None:
    """Its ACLs go first, then its password; a connected producer is refused at its next record."""
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
    (barred,) = users[f"{seller}.app"].scram_credential_infos
    assert barred.iterations == BARRED_ITERATIONS


def test_missing_user_is_named(market: World, slugs: tuple[str, str, str]) -> None:
    """A user that was removed by hand cannot be made again: its account needs another password."""
    _, buyer, _ = slugs
    market.provisioner.users.bar(f"{buyer}.app")

    only_said = [one for one in market.drift().differences if one.action is None]
    found = [one for one in only_said if buyer in one.what]

    assert [one.what for one in found] == [f"user {buyer}.app"]
    assert "another password" in found[0].detail
