"""What came last of a product: valid, refused, and what is not accounted for yet."""

from dataclasses import dataclass
from typing import Any

import pytest

from broker.control import check
from broker.control.check import ProductCheck
from broker.domain.actor import OPERATOR
from broker.domain.segment import LIVE
from broker.log.memory import MemoryLog
from broker.log.ports import Headers, Records
from broker.store.ledger import Chain

PRODUCT = "acme/wind"
TOPIC, QUARANTINE = "product.acme.wind", "quarantine.acme.wind"
AVRO = b"\x00\x00\x00\x00\x07body"


@dataclass
class Stream:
    """The topics of `acme/wind` in memory, and how far the ledger has come."""

    world: Any
    log: MemoryLog

    def write(
        self, topic: str, partition: int, *values: bytes | None, headers: Headers | None = None
    ) -> None:
        """Append records with the key `k`."""
        count = len(values)
        records = Records([0] * count, [5_000] * count, [b"k"] * count, values, [headers] * count)
        producer = self.log.producer(transactional_id=None)
        producer.send(topic, partition, records, timeout_s=1)
        producer.flush(timeout_s=1)

    def refuse(self, partition: int, offset: int, reason: str, value: bytes | None) -> None:
        """Put a copy into quarantine, as a router does."""
        source = f"{TOPIC}/{partition}/{offset}".encode()
        headers = [
            ("weir-reason", b"forged"),
            ("weir-reason", reason.encode()),
            ("weir-source", source),
        ]
        self.write(QUARANTINE, partition, value, headers=headers)

    def cover(self, partition: int, next_offset: int) -> None:
        """The ledger has come so far."""
        with self.world.sessions.begin() as session:
            product = self.world.done("GET", f"/products/{PRODUCT}", self.world.operator)
            session.merge(
                Chain(
                    topic_id=product["topic_id"],
                    partition=partition,
                    flow=LIVE,
                    product=PRODUCT,
                    number=1,
                    digest=b"",
                    next_offset=next_offset,
                    seq=1,
                    watermark_ms=0,
                    hole=None,
                )
            )

    def check(self) -> ProductCheck:
        """What is seen."""
        with self.world.sessions() as session:
            return check.check(session, self.log, PRODUCT, by=OPERATOR, now=self.world.now)


@pytest.fixture
def stream(world: Any, trade: Any) -> Stream:
    """Both partitions empty."""
    log = MemoryLog(now_ms=lambda: 5_000)
    log.create_topic(TOPIC, 2, append_time=True)
    log.create_topic(QUARANTINE, 2)
    with world.sessions.begin() as session:
        session.query(Chain).delete()
    return Stream(world, log)


def test_nothing_has_arrived(stream: Stream) -> None:
    """An empty product: where a seller should look."""
    seen = stream.check()

    assert (seen.last_valid, seen.last_refused) == (None, None)
    assert "nothing has arrived" in seen.note


def test_last_valid_is_the_last_that_was_not_refused(stream: Stream) -> None:
    """The last record was refused, the one before it is valid: both are shown."""
    stream.write(TOPIC, 1, AVRO, b"{}")
    stream.refuse(1, 1, "wrong-magic-byte", b"{}")
    stream.cover(1, 2)

    seen = stream.check()

    assert seen.last_valid is not None
    assert (seen.last_valid.partition, seen.last_valid.offset) == (1, 0)
    assert (seen.last_valid.key, seen.last_valid.schema_id) == ("k", 7)
    assert seen.last_refused is not None
    assert (seen.last_refused.offset, seen.last_refused.reason) == (1, "wrong-magic-byte")
    assert "not Avro" in str(seen.last_refused.explanation)
    assert seen.note == ""


def test_what_no_router_has_passed_is_not_judged(stream: Stream) -> None:
    """Records past the ledger's coverage are counted, not called valid."""
    stream.write(TOPIC, 0, AVRO, AVRO, AVRO)
    stream.cover(0, 1)

    seen = stream.check()

    assert seen.last_valid is not None
    assert seen.last_valid.offset == 0
    assert "2 or more" in seen.note


def test_open_transaction_is_told(stream: Stream) -> None:
    """What waits behind a producer's open transaction did arrive: the partition is named."""
    producer = stream.log.producer(transactional_id="acme.edge")
    producer.init_transactions(timeout_s=1)
    producer.begin()
    producer.send(TOPIC, 1, Records([0], [5_000], [b"k"], [AVRO], [None]), timeout_s=1)
    producer.flush(timeout_s=1)
    stream.write(TOPIC, 1, AVRO, AVRO)

    held = stream.check()
    producer.commit(timeout_s=1)
    ended = stream.check()

    assert held.note.startswith("a producer's transaction is open in partition 1: ")
    assert "nothing has arrived" not in held.note
    assert ended.note.endswith("3 or more are not accounted for yet; ask again in a second")
    assert "transaction" not in ended.note


def test_all_of_the_last_were_refused(stream: Stream) -> None:
    """A gateway gone wrong: none of the last is valid, and that is said."""
    for offset in range(3):
        stream.write(TOPIC, 0, None)
        stream.refuse(0, offset, "empty-value", None)
    stream.cover(0, 3)

    seen = stream.check()

    assert seen.last_valid is None
    assert seen.last_refused is not None
    assert seen.last_refused.value_bytes is None
    assert "none is valid" in seen.note


def test_draft_has_nothing_to_check(world: Any) -> None:
    """A product that is not published has no topic yet; the API says what to do."""
    seller = world.organisation("acme")
    world.done("POST", "/products", seller, {"id": PRODUCT, "title": "Wind"})

    seen = world.done("GET", f"/products/{PRODUCT}/check", seller)

    assert seen["last_valid"] is None
    assert "publish it" in seen["note"]


def test_another_s_product_is_absent(world: Any, trade: Any) -> None:
    """A buyer cannot look into a seller's product."""
    assert world.get(f"/products/{PRODUCT}/check", trade.buyer).status_code == 404


def test_topic_that_is_gone_is_our_fault(world: Any, trade: Any) -> None:
    """A topic that Kafka does not have is no fault of the seller's."""
    for topic in (TOPIC, QUARANTINE):
        world.log.delete_topic(topic)
        world.topics.discard(topic)
    answer = world.get(f"/products/{PRODUCT}/check", trade.seller)

    assert answer.status_code == 503
    assert TOPIC in answer.json()["detail"] or QUARANTINE in answer.json()["detail"]
