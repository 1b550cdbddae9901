"""Members, their partitions, and whose offsets the group takes."""

from collections.abc import Sequence

import pytest

from broker.errors import LogAbortableError, OffsetOutOfRangeError
from broker.log.ports import Committed, Fetched, TopicPartition
from tests.contract.harness import LIMIT_S, Harness, Member, drop, finish, rows


def test_a_member_reads_to_the_end(log: Harness) -> None:
    """A member reads committed records and is told the end once, past the marker."""
    topic = log.topic()
    log.write(topic, rows(b"a", b"b"))
    member = log.member(log.unique("group"), [topic])
    values, last = _read_to_end(log, member, 2)
    assert (values, last.next_offset) == ([b"a", b"b"], 3)
    assert member.poll() == []


def test_a_poll_brings_no_more_than_asked_for(log: Harness) -> None:
    """`records_max` bounds a poll over all partitions; the rest comes with the next ones."""
    topic = log.topic(partitions=2)
    for partition in (0, 1):
        log.write(topic, rows(*[b"v"] * 5), partition=partition)
    member = log.member(log.unique("group"), [topic])
    sizes = []

    def all_read() -> bool:
        fetched = member.consumer.poll(records_max=4, timeout_s=0.1)
        sizes.append(sum(len(each.records) for each in fetched))
        return sum(sizes) == 10

    log.until(all_read)
    assert max(sizes) <= 4


def test_two_members_share_and_take_over(log: Harness) -> None:
    """A second member gets partitions after the first let go of them, and all when it has left."""
    topic, group = log.topic(partitions=4), log.unique("group")
    first = log.member(group, [topic])
    log.until(lambda: first.poll() is not None and len(first.owned) == 4)
    second = log.member(group, [topic])
    log.until(lambda: _both(first, second) and len(first.owned) == len(second.owned) == 2)
    assert not first.owned & second.owned
    first.consumer.close(timeout_s=LIMIT_S)
    assert first.owned == set()
    log.until(lambda: second.poll() is not None and len(second.owned) == 4)


def test_a_commit_inside_revoked_is_accepted(log: Harness) -> None:
    """Partitions still belong to the member while it is told to let go of them."""
    topic, group = log.topic(partitions=2), log.unique("group")
    first = log.member(group, [topic])
    log.until(lambda: first.poll() is not None and len(first.owned) == 2)
    metadata, owned = first.consumer.group_metadata(), sorted(first.owned)
    producer = log.producer()

    def commit() -> None:
        first.on_revoke = lambda: None
        producer.begin()
        offsets = {place: Committed(0, "in revoked") for place in owned}
        producer.send_offsets(offsets, metadata, timeout_s=LIMIT_S)
        finish(producer)

    first.on_revoke = commit
    second = log.member(group, [topic])
    log.until(lambda: _both(first, second) and second.owned)
    found = second.consumer.committed(owned, timeout_s=LIMIT_S)
    assert {each.metadata for each in found.values()} == {"in revoked"}


def test_pinned_metadata_holds_while_the_partition_stays(log: Harness) -> None:
    """Offsets sent with a batch's own metadata: taken where it stayed, refused where it moved."""
    stayed, moved, first, metadata = _moved_partition(log)
    producer = log.producer()
    producer.begin()
    producer.send_offsets({stayed: Committed(0, "stayed")}, metadata, timeout_s=LIMIT_S)
    finish(producer)
    producer.begin()
    with pytest.raises(LogAbortableError):
        producer.send_offsets({moved: Committed(0, "moved")}, metadata, timeout_s=LIMIT_S)
    drop(producer)
    log.until(
        lambda: (
            first.consumer.committed([stayed, moved], timeout_s=LIMIT_S)
            == {stayed: Committed(0, "stayed")}
        )
    )


def test_refreshed_metadata_is_the_danger(log: Harness) -> None:
    """Metadata taken afresh is accepted for a partition that has moved: so it is never refreshed.

    This is Kafka's behaviour, and the one road to duplicates; the lane must not take it.
    """
    _, moved, first, _ = _moved_partition(log)
    producer = log.producer()
    producer.begin()
    offsets = {moved: Committed(0, "the old owner's")}
    producer.send_offsets(offsets, first.consumer.group_metadata(), timeout_s=LIMIT_S)
    finish(producer)
    assert log.until(lambda: first.consumer.committed([moved], timeout_s=LIMIT_S)) == offsets


def test_a_member_that_left_is_refused(log: Harness) -> None:
    """Offsets of a member that the group no longer knows must be aborted."""
    topic, group = log.topic(), log.unique("group")
    member = log.member(group, [topic])
    log.until(lambda: member.poll() is not None and member.owned)
    metadata = member.consumer.group_metadata()
    member.consumer.close(timeout_s=LIMIT_S)
    producer = log.producer()
    producer.begin()
    with pytest.raises(LogAbortableError):
        producer.send_offsets(
            {TopicPartition(topic, 0): Committed(0, "")}, metadata, timeout_s=LIMIT_S
        )


def test_seek_after_abort_reads_again(log: Harness) -> None:
    """After an abort the same records come again, each once, and then those that follow."""
    topic = log.topic()
    log.write(topic, rows(b"a", b"b", b"c"))
    member = log.member(log.unique("group"), [topic])
    _read_to_end(log, member, 3)
    member.consumer.seek(TopicPartition(topic, 0), 1)
    values, last = _read_to_end(log, member, 2)
    assert (values, last.next_offset) == ([b"b", b"c"], 4)


def test_paused_partitions_are_silent(log: Harness) -> None:
    """A paused partition delivers nothing until it is resumed; the others go on."""
    topic = log.topic(partitions=2)
    member = log.member(log.unique("group"), [topic])
    log.until(lambda: member.poll() is not None and len(member.owned) == 2)
    paused = TopicPartition(topic, 0)
    member.consumer.pause([paused])
    for partition in (0, 1):
        log.write(topic, rows(b"v"), partition=partition)
    seen: list[TopicPartition] = []

    def note() -> Sequence[TopicPartition]:
        seen.extend(each.partition for each in member.poll() if each.records)
        return seen

    log.until(note)
    assert seen == [TopicPartition(topic, 1)]
    member.consumer.resume([paused])
    log.until(lambda: paused in note())


def test_an_offset_outside_the_log_is_named(log: Harness) -> None:
    """A position beyond the log's end is reported with topic, partition and offset; never reset."""
    topic = log.topic()
    log.write(topic, rows(b"a"))
    member = log.member(log.unique("group"), [topic])
    place = TopicPartition(topic, 0)
    _read_to_end(log, member, 1)
    member.consumer.seek(place, 1_000)
    with pytest.raises(OffsetOutOfRangeError) as raised:
        log.until(lambda: member.poll() and None)
    assert (raised.value.topic, raised.value.partition, raised.value.offset) == (*place, 1_000)
    assert member.consumer.offsets(place, timeout_s=LIMIT_S).start == 0
    member.consumer.seek(place, 0)
    assert _read_to_end(log, member, 1)[0] == [b"a"]


def _both(first: Member, second: Member) -> bool:
    first.poll()
    second.poll()
    return True


def _moved_partition(
    log: Harness,
) -> tuple[TopicPartition, TopicPartition, Member, object]:
    """Two partitions of one member, of which one goes to a second member.

    Returns:
        The partition that stayed, the one that moved, their first owner, and its group metadata
        from before.
    """
    topic, group = log.topic(partitions=2), log.unique("group")
    first = log.member(group, [topic])
    log.until(lambda: first.poll() is not None and len(first.owned) == 2)
    metadata = first.consumer.group_metadata()
    second = log.member(group, [topic])
    log.until(lambda: _both(first, second) and len(first.owned) == len(second.owned) == 1)
    return next(iter(first.owned)), next(iter(second.owned)), first, metadata


def _read_to_end(log: Harness, member: Member, size: int) -> tuple[list[bytes | None], Fetched]:
    """Values until the end is reported and `size` have come, and the report of the end."""
    values: list[bytes | None] = []
    last: list[Fetched] = []

    def ended() -> bool:
        for fetched in member.poll():
            values.extend(fetched.records.values)
            last.append(fetched)
        return bool(last) and last[-1].at_end and len(values) >= size

    log.until(ended)
    return values, last[-1]
