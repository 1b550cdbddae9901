"""Reading by hand: one record back, a tail, a whole topic."""

from functools import partial

import pytest

from broker.errors import OffsetOutOfRangeError
from broker.log.ports import Fetched, Offsets, Reader, TopicPartition
from tests.contract.harness import LIMIT_S, Harness, rows


def test_one_record_back(log: Harness) -> None:
    """A single record in the middle is read by its offset."""
    topic = log.topic()
    log.write(topic, rows(b"a", b"b", b"c"))
    reader = log.reader(committed=False)
    fetched = reader.read(TopicPartition(topic, 0), 1, records_max=1, timeout_s=LIMIT_S)
    assert (list(fetched.records.values), list(fetched.records.offsets)) == ([b"b"], [1])
    assert (fetched.next_offset, fetched.at_end) == (2, False)


def test_going_on_where_the_last_read_ended(log: Harness) -> None:
    """Reads that follow on each other bring every record once, and end at the end."""
    topic = log.topic()
    for first in range(0, 30, 10):
        log.write(topic, rows(*[b"%d" % n for n in range(first, first + 10)]))
    log.read(topic, 30)
    reader = log.reader()
    place, offset, values = TopicPartition(topic, 0), 0, []
    while True:
        fetched = reader.read(place, offset, records_max=7, timeout_s=LIMIT_S)
        values += fetched.records.values
        offset = fetched.next_offset
        if fetched.at_end:
            break
    assert values == [b"%d" % n for n in range(30)]
    assert offset == reader.offsets(place, timeout_s=LIMIT_S).last_stable == 33


def test_a_tail_sees_what_is_added(log: Harness) -> None:
    """A read at the end says so at once; what is written afterwards comes with the next."""
    topic = log.topic()
    place, reader = TopicPartition(topic, 0), log.reader()
    empty = reader.read(place, 0, records_max=10, timeout_s=LIMIT_S)
    assert (len(empty.records), empty.next_offset, empty.at_end) == (0, 0, True)
    offset = 0
    for value in (b"a", b"b"):
        log.write(topic, rows(value))
        fetched = log.until(partial(_read_more, reader, place, offset))
        assert list(fetched.records.values) == [value]
        offset = fetched.next_offset
    end = log.until(partial(_read_end, reader, place, offset))
    assert (len(end.records), end.next_offset) == (0, 4)


def test_partitions_in_turn(log: Harness) -> None:
    """One reader may go from partition to partition and back."""
    topic = log.topic(partitions=2)
    for partition in (0, 1):
        log.write(topic, rows(b"%d" % partition), partition=partition)
        log.read(topic, 1, partition=partition)
    reader = log.reader()
    turns = [
        reader.read(TopicPartition(topic, p), 0, records_max=10, timeout_s=LIMIT_S).records.values
        for p in (0, 1, 0, 1)
    ]
    assert [list(values) for values in turns] == [[b"0"], [b"1"], [b"0"], [b"1"]]


def test_readers_beside_each_other(log: Harness) -> None:
    """A reader beside another keeps its own place, and sees what the other may see."""
    topic = log.topic()
    log.write(topic, rows(b"a", b"b", b"c"))
    log.read(topic, 3)
    place, first = TopicPartition(topic, 0), log.reader()
    second = first.beside()
    values = []
    for offset in range(3):
        for reader in (first, second):
            fetched = reader.read(place, offset, records_max=1, timeout_s=LIMIT_S)
            values += fetched.records.values
    assert values == [b"a", b"a", b"b", b"b", b"c", b"c"]
    end = first.offsets(place, timeout_s=LIMIT_S)
    assert second.offsets(place, timeout_s=LIMIT_S) == end
    assert len(second.read(place, 3, records_max=10, timeout_s=LIMIT_S).records) == 0
    second.close()


def test_a_read_of_no_records(log: Harness) -> None:
    """Reading no records stands there, so that what follows is fetched meanwhile."""
    topic = log.topic()
    log.write(topic, rows(b"a"))
    log.read(topic, 1)
    reader, place = log.reader(), TopicPartition(topic, 0)
    none = reader.read(place, 0, records_max=0, timeout_s=LIMIT_S)
    assert (len(none.records), none.next_offset, none.at_end) == (0, 0, False)
    one = reader.read(place, 0, records_max=1, timeout_s=LIMIT_S)
    assert list(one.records.values) == [b"a"]


def test_an_offset_outside_the_log_is_refused(log: Harness) -> None:
    """Reading beyond the end is an error with the offset's name, not an empty answer."""
    topic = log.topic()
    log.write(topic, rows(b"a"))
    reader, place = log.reader(), TopicPartition(topic, 0)
    log.until(lambda: reader.offsets(place, timeout_s=LIMIT_S) == Offsets(0, 2))
    with pytest.raises(OffsetOutOfRangeError):
        reader.read(place, 3, records_max=1, timeout_s=LIMIT_S)


def _read_more(reader: Reader, place: TopicPartition, offset: int) -> Fetched | None:
    fetched = reader.read(place, offset, records_max=10, timeout_s=LIMIT_S)
    return fetched if fetched.records else None


def _read_end(reader: Reader, place: TopicPartition, offset: int) -> Fetched | None:
    fetched = reader.read(place, offset, records_max=10, timeout_s=LIMIT_S)
    return fetched if fetched.at_end and fetched.next_offset == 4 else None
