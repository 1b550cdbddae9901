"""Routers meet what producers and administrators do to topics: nothing wrong is delivered.

On the shared exchange; each test has companies and topics of its own.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from broker.local.demo.waiting import until
from tests.kafka.exchange import WAIT_S, Exchange, Market, reasons

pytestmark = pytest.mark.kafka

MIB = 1024 * 1024
# More than a router's consumer unpacks (receive.message.max.bytes, 64 MiB).
ZEROS_BYTES = 80 * MIB
LOAD_PAUSE_S = 0.02


def test_records_pass_unchanged(market: Callable[..., Market]) -> None:
    """Keys, null keys, tombstones and headers arrive as they were sent, under append time."""
    made = market(partitions=1)
    header = made.register()
    body = header + b"\2"
    headers = [("site", b"north"), ("site", b"south"), ("empty", b""), ("null", None), ("ü", b"\0")]
    sent = [
        (b"key", body, None),
        (None, body, None),
        (b"", body, None),
        (b"key", None, None),
        (None, None, headers),
        (b"key", body, headers),
    ]
    producer = made.producer()
    appended: list[int] = []
    for key, value, named in sent:
        producer.produce(
            made.product.topic,
            value,
            key,
            headers=named,
            timestamp=1_000,
            on_delivery=lambda _, message: appended.append(message.timestamp()[1]),
        )
    producer.produce(made.product.topic, b"", b"key", headers=headers)
    assert producer.flush(30) == 0
    made.wait_covered()
    messages = made.read(made.buyers[0])
    assert [(m.key(), m.value(), m.headers()) for m in messages] == sent
    assert [m.timestamp()[1] for m in messages] == appended
    (refused,) = made.quarantined()
    assert (refused.key(), refused.value()) == (b"key", b"")
    assert refused.headers() == [
        *headers,
        ("weir-reason", b"empty-value"),
        ("weir-source", f"{made.product.topic}/0/6".encode()),
    ]


def test_a_record_that_cannot_be_unpacked_becomes_a_gap(market: Callable[..., Market]) -> None:
    """80 MiB of zeros in one small zstd record: a named gap, and what follows is delivered."""
    made = market(partitions=1)
    body = made.register() + b"\2"
    plain = made.producer()
    plain.produce(made.product.topic, body, "before")
    assert plain.flush(30) == 0
    failed: list[str] = []
    packing = made.producer(
        **{"compression.type": "zstd", "message.max.bytes": 2 * ZEROS_BYTES, "linger.ms": 0}
    )
    packing.produce(
        made.product.topic,
        bytes(ZEROS_BYTES),
        on_delivery=lambda error, _: failed.append(str(error)) if error else None,
    )
    assert packing.flush(60) == 0
    assert failed == []
    plain.produce(made.product.topic, body, "behind")
    assert plain.flush(30) == 0
    made.wait_covered()
    assert [m.key() for m in made.read(made.buyers[0])] == [b"before", b"behind"]
    gaps = [s for s in made.exchange.segments(made.product_id) if s.kind == "gap"]
    assert [(s.first_offset, s.next_offset, s.gap_reason) for s in gaps] == [(1, 2, "unreadable")]
    assert f"gap: {made.product.topic}/0" in made.exchange.alarms()


def test_a_deleted_delivery_topic_holds_up_nobody_else(market: Callable[..., Market]) -> None:
    """Under load one buyer's topic is deleted: it alone is undeliverable, until it is there again.

    What it was entitled to is, to the record, what it is billed and what is named undeliverable.
    """
    made = market(buyers=2, partitions=2)
    exchange = made.exchange
    hurt, well = (buyer.subscription for buyer in made.buyers)
    with load(made) as produced:
        until(lambda: exchange.billed(hurt.id) > 0, what="a first delivery", timeout_s=WAIT_S)
        admin = AdminClient(exchange.admin())

        def missed() -> bool:
            """Reconciliation may make it anew before a router has met its absence: once more."""
            with suppress(KafkaException):
                admin.delete_topics([hurt.delivery_topic])[hurt.delivery_topic].result(30)
            return undeliverable(exchange, made.product_id)[hurt.id] > 0

        until(
            missed,
            what=f"{hurt.id} is named undeliverable",
            timeout_s=WAIT_S,
        )
        seen = exchange.billed(well.id)
        until(lambda: exchange.billed(well.id) > seen, what="the other goes on", timeout_s=WAIT_S)
        before = exchange.billed(hurt.id)
        until(lambda: exchange.billed(hurt.id) > before, what="it comes back", timeout_s=WAIT_S)
    made.wait_covered()
    lacking = undeliverable(exchange, made.product_id)
    assert exchange.billed(well.id) == produced[0]
    assert set(lacking) == {hurt.id}
    assert exchange.billed(hurt.id) + lacking[hurt.id] == produced[0]
    assert len(made.read(made.buyers[1])) == produced[0]
    # Each router tries it again by itself, and waits longer after every deletion that it met.
    until(
        lambda: f"undeliverable: {hurt.id}" not in exchange.alarms(),
        what="its alarm ends",
        timeout_s=2 * WAIT_S,
    )


def test_a_recreated_source_topic_stops_its_product(market: Callable[..., Market]) -> None:
    """Deleted and made again under the running routers: an alarm, and none of the new is delivered.

    The new topic is longer than the old, so that there are records where the routers stand.
    """
    made = market(partitions=1)
    topic = made.product.topic
    body = made.register() + b"\2"
    producer = made.producer()
    for number in range(100):
        producer.produce(topic, body, f"old{number}")
    assert producer.flush(30) == 0
    made.wait_covered()
    admin = AdminClient(made.exchange.admin())
    admin.delete_topics([topic])[topic].result(30)
    recreate(admin, topic)
    again = made.producer()
    for number in range(150):
        again.produce(topic, body, f"new{number}", partition=0)
    assert again.flush(30) == 0
    until(
        lambda: any(topic in one or made.product_id in one for one in made.exchange.alarms()),
        what=f"an alarm on {topic}",
        timeout_s=WAIT_S,
    )
    with made.selling() as selling:
        until(
            lambda: selling.products.get(made.product_id).ended_at is not None,
            what=f"the end of {made.product_id}",
            timeout_s=WAIT_S,
        )
    keys = [m.key() for m in made.read(made.buyers[0])]
    assert keys == [f"old{number}".encode() for number in range(100)]
    assert made.exchange.billed(made.buyers[0].subscription.id) == 100
    assert reasons(made.quarantined()) == Counter()


@contextmanager
def load(made: Market) -> Iterator[list[int]]:
    """Produces in the background; gives a list of one: how many were produced, at the end."""
    body = made.register() + b"\2"
    ended = threading.Event()
    produced = [0]
    failed: list[str] = []
    producer = made.producer()

    def run() -> None:
        while not ended.wait(LOAD_PAUSE_S):
            for _ in range(5):
                producer.produce(
                    made.product.topic,
                    body,
                    partition=produced[0] % 2,
                    on_delivery=lambda error, _: failed.append(str(error)) if error else None,
                )
                produced[0] += 1
            producer.poll(0)

    thread = threading.Thread(target=run, name="load")
    thread.start()
    try:
        yield produced
    finally:
        ended.set()
        thread.join()
        assert producer.flush(60) == 0
        assert failed == []


def undeliverable(exchange: Exchange, product: str) -> Counter[str]:
    """Records named undeliverable, by subscription."""
    found: Counter[str] = Counter()
    for segment in exchange.segments(product):
        for one in segment.undeliverable:
            found[one.subscription] += one.records
    return found


def recreate(admin: AdminClient, topic: str) -> None:
    """The same name again; refused while the deletion is under way."""

    def made() -> bool:
        wanted = NewTopic(topic, 1, 1, config={"message.timestamp.type": "LogAppendTime"})
        return admin.create_topics([wanted])[topic].exception(30) is None

    until(made, what=f"{topic} made again", timeout_s=WAIT_S)
