"""An honest exchange agrees with its recount, whatever went through it."""

import pytest

from broker.domain import events as ev
from broker.errors import NotFoundError
from broker.log.ports import TopicPartition

from .conftest import BUYERS, PRODUCT, QUARANTINE, SCHEMA, SUBJECT, TOPIC, Exchange, long

GOOD = b"\0\0\0\0\1" + long(7)


def counts(exchange: Exchange) -> dict[str, set[int]]:
    """Per subscription, its four counts, after a recount without differences."""
    report = exchange.recount()
    assert [str(difference) for difference in report.differences] == []
    assert report.agrees
    return {
        row.subscription: {
            row.entitled_records,
            row.delivered_records,
            row.metered_records,
            row.billed_records,
        }
        for row in report.subscriptions
    }


def test_two_partitions(exchange: Exchange) -> None:
    """Entitled, delivered, metered and billed are one number for each subscription."""
    exchange.produce(50)
    exchange.produce(7, partition=1)
    exchange.route()
    assert counts(exchange) == {name: {57} for name in BUYERS}


def test_nothing_produced(exchange: Exchange) -> None:
    """An exchange without a record agrees."""
    exchange.route()
    assert counts(exchange) == {name: {0} for name in BUYERS}


def test_nothing_routed_yet(exchange: Exchange) -> None:
    """Records that no router has read are no difference: nobody was billed for them."""
    exchange.produce(3)
    assert counts(exchange) == {name: {0} for name in BUYERS}


def test_every_reason_of_refusal(full_exchange: Exchange) -> None:
    """Each way a record can be wrong is quarantined, and the recount comes to the same reason."""
    full_exchange.publish(ev.SchemaRegistered(SUBJECT, 2, 2, SCHEMA))
    full_exchange.publish(ev.SchemaRetired(SUBJECT, 2))
    wrong = [
        b"",
        b"{}",
        b"\0\0",
        b"\0\0\0\0\7" + long(1),
        b"\0\0\0\0\x09" + long(1),
        b"\0\0\0\0\2" + long(1),
        b"\0\0\0\0\1",
        GOOD + b"!",
        GOOD + bytes(300),
    ]
    full_exchange.send(TOPIC, 0, [GOOD, *wrong, None, GOOD])
    full_exchange.send(TOPIC, 0, [GOOD], headers=[("__value_schema_id", b"\1guid")])
    full_exchange.send(TOPIC, 0, [GOOD], headers=[("trace", b"x"), ("none", None)], key=None)
    full_exchange.route()
    assert counts(full_exchange) == {name: {4} for name in BUYERS}
    assert full_exchange.recount().products[0].refused == {
        "empty-value": 1,
        "foreign-schema-id": 1,
        "retired-schema-id": 1,
        "schema-id-in-header": 1,
        "too-large": 1,
        "truncated-header": 1,
        "undecodable": 2,
        "unknown-schema-id": 1,
        "wrong-magic-byte": 1,
    }


def test_subscriptions_come_and_go(exchange: Exchange) -> None:
    """Each segment is judged by the policy of its own seq; a revoked one has its cutover."""
    exchange.produce(10)
    exchange.route()
    exchange.publish(ev.SubscriptionSuspended("care/turbines", PRODUCT))
    exchange.publish(ev.SubscriptionRevoked("trial/month", PRODUCT))
    exchange.produce(5)
    exchange.route()
    exchange.publish(ev.SubscriptionResumed("care/turbines", PRODUCT))
    exchange.produce(1)
    exchange.route()
    assert counts(exchange) == {
        "care/turbines": {11},
        "grid/forecast": {16},
        "trial/month": {10},
    }
    cutover = {row.subscription: row.cutover for row in exchange.recount().subscriptions}
    assert cutover["grid/forecast"] is None
    assert cutover["trial/month"] == {0: 10, 1: 0}


def test_undeliverable(exchange: Exchange) -> None:
    """What could not be written is listed, and neither delivered nor billed."""
    exchange.log.set_writable(exchange.delivery("care/turbines"), writable=False)
    exchange.produce(5)
    exchange.route()
    assert counts(exchange)["grid/forecast"] == {5}
    report = exchange.recount()
    held = report.undeliverable[0]
    assert (held.subscription, held.first_offset, held.next_offset) == ("care/turbines", 0, 5)
    assert held.records == 5
    assert "undeliverable" in report.to_table()


def test_quarter_hours(exchange: Exchange) -> None:
    """Segments of several quarter hours, and a period closed on idle partitions, agree."""
    for _ in range(3):
        exchange.produce(30)
        exchange.clock.ms += 15 * 60 * 1000
    exchange.route()
    end_ms = exchange.clock.ms
    exchange.publish(ev.PeriodClosing(PRODUCT, end_ms))
    exchange.route()
    assert counts(exchange) == {name: {90} for name in BUYERS}
    assert min(segment.watermark_ms for *_, segment in list(exchange.segments())[-1:]) == end_ms


def test_source_taken_by_retention(exchange: Exchange) -> None:
    """Where the source is gone it says chain only, and counts what is left."""
    exchange.produce(40)
    exchange.send(TOPIC, 0, [b"{}", b""])
    exchange.route()
    exchange.produce(1)
    exchange.send(TOPIC, 0, [b"{}"])
    exchange.route()
    exchange.log.trim(TopicPartition(TOPIC, 0), 41)
    report = exchange.recount()
    assert report.differences == ()
    assert report.agrees
    assert report.chain_only[0].why == "retention took the source"
    assert (report.chain_only[0].first_offset, report.chain_only[0].next_offset) == (0, 42)
    row = report.subscriptions[0]
    assert (row.entitled_records, row.delivered_records, row.metered_records) == (1, 41, 41)
    assert "chain only" in report.to_table()


def test_deliveries_taken_by_retention(exchange: Exchange) -> None:
    """What a delivery topic has lost is chain only; what is left is aligned and compared."""
    exchange.produce(20)
    exchange.route()
    exchange.produce(20, first=20)
    exchange.route()
    topic = exchange.delivery("grid/forecast")
    exchange.log.trim(TopicPartition(topic, 0), 7)
    exchange.log.trim(TopicPartition(QUARANTINE, 0), 0)
    report = exchange.recount()
    assert report.differences == ()
    assert report.agrees
    row = next(row for row in report.subscriptions if row.subscription == "grid/forecast")
    assert (row.entitled_records, row.delivered_records) == (40, 33)
    assert sum(lost.records for lost in report.chain_only) == 7


def test_deleted_delivery_topic(exchange: Exchange) -> None:
    """A revoked subscription's topic may be deleted: chain only."""
    exchange.produce(4)
    exchange.route()
    exchange.publish(ev.SubscriptionRevoked("trial/month", PRODUCT))
    exchange.route()
    exchange.log.delete_topic(exchange.delivery("trial/month"))
    report = exchange.recount()
    assert report.differences == ()
    assert report.agrees
    assert report.chain_only[0].subscription == "trial/month"


def test_usage_taken_by_retention(exchange: Exchange) -> None:
    """Segments that weir.usage has lost come from PostgreSQL, which keeps them for ever."""
    exchange.produce(20)
    exchange.route()
    exchange.produce(20)
    exchange.route()
    partition = next(iter(p for p, _, s in exchange.segments() if s.partition == 0))
    exchange.log.trim(TopicPartition("weir.usage", partition), 2)
    assert counts(exchange) == {name: {40} for name in BUYERS}


def test_unreadable_record(exchange: Exchange) -> None:
    """A record that cannot be decompressed is a gap, and is listed."""
    exchange.produce(5)
    exchange.log.set_readable(TopicPartition(TOPIC, 0), 2, readable=False)
    exchange.route()
    assert counts(exchange) == {name: {4} for name in BUYERS}
    assert [(gap.first_offset, gap.next_offset) for gap in exchange.recount().gaps] == [(2, 3)]


def test_one_product_alone(exchange: Exchange) -> None:
    """Asked for one product, it recounts that; the table and the JSON say so."""
    exchange.produce(2)
    exchange.route()
    report = exchange.recount(PRODUCT)
    assert report.agrees
    assert report.to_json().startswith('{"agrees": true, "products": [{"product": "acme/wind"')
    assert "all agree" in report.to_table()


def test_recreated_source_topic(exchange: Exchange) -> None:
    """Of a topic that was recreated under its name nothing can be compared: chain only."""
    exchange.produce(6)
    exchange.route()
    exchange.publish(ev.TopicEnded(PRODUCT, exchange.topic_id))
    exchange.log.delete_topic(TOPIC)
    exchange.log.create_topic(TOPIC, 2, append_time=True)
    report = exchange.recount()
    assert report.differences == ()
    assert report.agrees
    assert report.chain_only[0].why == "the source topic is gone"
    assert report.subscriptions[0].delivered_records == 6


def test_unknown_product(exchange: Exchange) -> None:
    """A product that there is not is the caller's fault."""
    with pytest.raises(NotFoundError, match="product acme/none"):
        exchange.recount("acme/none")
