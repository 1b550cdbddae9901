"""Records in, the same records out: order, nulls, headers, timestamps, offsets of receipts."""

import time

import pytest

from broker.errors import LogError, TopicUnwritableError
from broker.log.ports import Records, TopicPartition
from tests.contract.harness import LIMIT_S, Harness, finish, rows


def test_columns_come_back_unchanged(log: Harness) -> None:
    """Order, null and empty keys and values, headers with duplicates and nulls, and timestamps."""
    topic = log.topic()
    now_ms = int(time.time() * 1_000)
    sent = Records(
        [0, 1, 2, 3],
        [now_ms, now_ms + 2, now_ms + 1, now_ms + 3],
        [b"k", None, b"", b"k"],
        [b"v", b"", None, b"v"],
        [None, [("a", b"1"), ("a", b"1"), ("b", None), ("a", b"")], None, [("é", b"\x00\xff")]],
    )
    log.write(topic, sent)
    got = log.read(topic, 4)
    assert got == sent


def test_append_time_replaces_the_producers(log: Harness) -> None:
    """On a topic with LogAppendTime the broker's clock is the timestamp, not the producer's."""
    topic = log.topic(append_time=True)
    sent = rows(b"a", b"b", age_ms=3_600_000)
    log.write(topic, sent)
    assert min(log.read(topic, 2).timestamps_ms) > max(sent.timestamps_ms)


def test_order_over_many_sends(log: Harness) -> None:
    """Records of one partition keep the order in which they were sent, batch after batch."""
    topic = log.topic(partitions=2)
    producer = log.producer()
    values = [b"%d" % n for n in range(900)]
    producer.begin()
    for first in range(0, 900, 100):
        producer.send(topic, 1, rows(*values[first : first + 100]), timeout_s=LIMIT_S)
    finish(producer)
    got = log.read(topic, 900, partition=1)
    assert (list(got.values), list(got.offsets)) == (values, list(range(900)))


def test_a_receipt_tells_the_offset_after_flush(log: Harness) -> None:
    """A receipt knows its record's offset once flushed, and says so before."""
    topic = log.topic()
    log.write(topic, rows(b"a", b"b"))  # offsets 0, 1, and the marker at 2
    producer = log.producer()
    producer.begin()
    receipt = producer.send_one(topic, 0, key=b"k", value=b"segment", timeout_s=LIMIT_S)
    with pytest.raises(LogError):
        _ = receipt.offset
    finish(producer)
    assert receipt.offset == 3
    assert log.read(topic, 3).offsets[-1] == 3


def test_an_idempotent_producer_needs_no_transaction(log: Harness) -> None:
    """Without a transactional id, records are visible once flushed."""
    topic = log.topic()
    producer = log.port.producer(transactional_id=None)
    log.clients.append(producer)
    producer.send(topic, 0, rows(b"a"), timeout_s=LIMIT_S)
    receipt = producer.send_one(topic, 0, key=None, value=b"b", timeout_s=LIMIT_S)
    producer.flush(timeout_s=LIMIT_S)
    assert (list(log.read(topic, 2).values), receipt.offset) == ([b"a", b"b"], 1)


def test_a_missing_topic_is_named(log: Harness) -> None:
    """A topic that does not exist is refused by name; the others of the transaction can go on."""
    topic, missing = log.topic(), log.unique("missing")
    producer = log.producer()
    producer.begin()
    with pytest.raises(TopicUnwritableError) as refused:
        producer.send(missing, 0, rows(b"a"), timeout_s=LIMIT_S)
    assert refused.value.topic == missing
    assert producer.unwritable([topic, missing], timeout_s=LIMIT_S) == [missing]
    producer.send(topic, 0, rows(b"b"), timeout_s=LIMIT_S)
    finish(producer)
    assert list(log.read(topic, 1).values) == [b"b"]


def test_a_missing_partition_is_named(log: Harness) -> None:
    """A partition beyond the topic's count is refused with the topic's name."""
    topic = log.topic(partitions=2)
    producer = log.producer()
    producer.begin()
    producer.send(topic, 1, rows(b"a"), timeout_s=LIMIT_S)
    with pytest.raises(TopicUnwritableError, match=topic):
        producer.send(topic, 2, rows(b"a"), timeout_s=LIMIT_S)


def test_a_topic_has_another_id_when_it_is_made_anew(log: Harness) -> None:
    """Topic ids tell a topic from its successor of the same name; absent topics are left out."""
    topic, missing = log.topic(), log.unique("missing")
    reader = log.reader()
    before = reader.topic_ids([topic, missing], timeout_s=LIMIT_S)
    assert list(before) == [topic]
    log.topics.delete(topic)
    log.until(lambda: not reader.topic_ids([topic], timeout_s=LIMIT_S))
    log.topics.create(topic, 1, append_time=False)
    after = log.until(lambda: reader.topic_ids([topic], timeout_s=LIMIT_S))
    assert after[topic] != before[topic]
    assert reader.partitions(missing, timeout_s=LIMIT_S) == 0
    assert TopicPartition(topic, 0) == (topic, 0)
