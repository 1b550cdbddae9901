"""What a transaction makes visible, what it hides, and who may end it."""

import pytest

from broker.errors import FencedError, LogAbortableError, LogTimeoutError
from broker.log.ports import Committed, Producer, TopicPartition
from tests.contract.harness import LIMIT_S, Harness, drop, finish, rows


def test_aborted_records_stay_unseen(log: Harness) -> None:
    """A committed reader passes over an aborted transaction and reads what comes after it."""
    topic = log.topic()
    producer = log.producer()
    producer.begin()
    producer.send(topic, 0, rows(b"a", b"b"), timeout_s=LIMIT_S)
    drop(producer)
    producer.begin()
    producer.send(topic, 0, rows(b"c"), timeout_s=LIMIT_S)
    finish(producer)
    got = log.read(topic, 1)
    assert (list(got.values), list(got.offsets)) == ([b"c"], [3])


def test_an_uncommitted_reader_sees_them_all(log: Harness) -> None:
    """An uncommitted reader sees aborted and open transactions, and never a marker."""
    topic = log.topic()
    producer = log.producer()
    producer.begin()
    producer.send(topic, 0, rows(b"a"), timeout_s=LIMIT_S)
    drop(producer)
    producer.begin()
    producer.send(topic, 0, rows(b"b"), timeout_s=LIMIT_S)
    producer.flush(timeout_s=LIMIT_S)
    got = log.read(topic, 2, committed=False)
    assert (list(got.values), list(got.offsets)) == ([b"a", b"b"], [0, 2])


def test_an_open_transaction_holds_the_last_stable_offset(log: Harness) -> None:
    """Committed readers stop before the first open transaction, also for what others committed."""
    topic = log.topic()
    place = TopicPartition(topic, 0)
    log.write(topic, rows(b"a"))
    slow = log.producer()
    slow.begin()
    slow.send(topic, 0, rows(b"b"), timeout_s=LIMIT_S)
    slow.flush(timeout_s=LIMIT_S)
    log.write(topic, rows(b"c"))
    committed, uncommitted = log.reader(), log.reader(committed=False)
    log.until(lambda: committed.offsets(place, timeout_s=LIMIT_S).last_stable == 2)
    log.until(lambda: uncommitted.offsets(place, timeout_s=LIMIT_S).last_stable == 5)
    fetched = committed.read(place, 0, records_max=10, timeout_s=LIMIT_S)
    assert (list(fetched.records.values), fetched.next_offset, fetched.at_end) == ([b"a"], 2, True)
    slow.commit(timeout_s=LIMIT_S)
    assert list(log.read(topic, 3).values) == [b"a", b"b", b"c"]


def test_a_newer_owner_fences_the_older(log: Harness) -> None:
    """A second producer of a transactional id ends what the first left open, and fences it."""
    topic, name = log.topic(), log.unique("lane")
    older = log.producer(name)
    older.begin()
    older.send(topic, 0, rows(b"old"), timeout_s=LIMIT_S)
    older.flush(timeout_s=LIMIT_S)
    newer = log.producer(name)
    newer.begin()
    newer.send(topic, 0, rows(b"new"), timeout_s=LIMIT_S)
    finish(newer)
    with pytest.raises(FencedError):
        older.commit(timeout_s=LIMIT_S)
    assert list(log.read(topic, 1).values) == [b"new"]


def test_offsets_and_their_metadata_commit_with_the_records(log: Harness) -> None:
    """Group offsets and the strings with them appear with the commit, and not with an abort."""
    topic, group = log.topic(partitions=2), log.unique("group")
    member = log.member(group, [topic])
    log.until(lambda: member.poll() is not None and len(member.owned) == 2)
    places = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
    first, second = Committed(7, "m" * 4_095), Committed(9, "")
    producer = log.producer()
    for committed, end in ((first, finish), (second, drop)):
        producer.begin()
        metadata = member.consumer.group_metadata()
        producer.send_offsets({places[0]: committed}, metadata, timeout_s=LIMIT_S)
        end(producer)
    found = log.until(lambda: member.consumer.committed(places, timeout_s=LIMIT_S))
    assert found == {places[0]: first}


def test_too_long_metadata_must_be_aborted(log: Harness) -> None:
    """4,096 bytes of offset metadata are refused; after the abort the producer goes on."""
    topic, group = log.topic(), log.unique("group")
    member = log.member(group, [topic])
    log.until(lambda: member.poll() is not None and member.owned)
    place, metadata = TopicPartition(topic, 0), member.consumer.group_metadata()
    producer = log.producer()
    producer.begin()
    with pytest.raises(LogAbortableError):
        producer.send_offsets({place: Committed(1, "m" * 4_096)}, metadata, timeout_s=LIMIT_S)
    with pytest.raises(LogAbortableError):
        producer.commit(timeout_s=LIMIT_S)
    drop(producer)
    producer.begin()
    producer.send_offsets({place: Committed(1, "m")}, metadata, timeout_s=LIMIT_S)
    finish(producer)


def test_committed_waits_for_a_transaction_that_holds_offsets(log: Harness) -> None:
    """While a transaction holds offsets, nobody is told the older ones: the call times out."""
    topic, group = log.topic(), log.unique("group")
    member = log.member(group, [topic])
    log.until(lambda: member.poll() is not None and member.owned)
    place = TopicPartition(topic, 0)
    producer = log.producer()
    producer.begin()
    metadata = member.consumer.group_metadata()
    producer.send_offsets({place: Committed(5, "five")}, metadata, timeout_s=LIMIT_S)
    with pytest.raises(LogTimeoutError):
        member.consumer.committed([place], timeout_s=0.5)
    finish(producer)
    found = member.consumer.committed([place], timeout_s=LIMIT_S)
    assert found == {place: Committed(5, "five")}


def test_a_topic_deleted_in_mid_transaction_is_found(log: Harness) -> None:
    """The commit is refused, `unwritable` names the topic, and the others go on without it."""
    healthy, doomed = log.topic(), log.topic()
    producer = log.producer()
    producer.begin()
    producer.send(doomed, 0, rows(b"a"), timeout_s=LIMIT_S)
    finish(producer)
    log.topics.delete(doomed)
    reader = log.reader()
    log.until(lambda: not reader.partitions(doomed, timeout_s=LIMIT_S))
    producer.begin()
    producer.send(healthy, 0, rows(b"b"), timeout_s=LIMIT_S)
    with pytest.raises((LogAbortableError, FencedError)):  # fatal where the client had cached it
        _send_and_commit(producer, doomed)
    found = producer.unwritable([healthy, doomed], timeout_s=LIMIT_S)
    assert found == [doomed]


def _send_and_commit(producer: Producer, topic: str) -> None:
    producer.send(topic, 0, rows(b"c"), timeout_s=LIMIT_S)
    finish(producer)
