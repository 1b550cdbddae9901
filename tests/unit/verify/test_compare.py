"""Where two runs of records part, they are found to agree again, and what lies between is named."""

import pytest

from broker.log.memory import MemoryLog
from broker.log.ports import Records, TopicPartition
from broker.verify.compare import compare
from broker.verify.cursor import Cursor

AT = TopicPartition("t", 0)


def run(numbers: list[int]) -> Records:
    """Records with these values."""
    count = len(numbers)
    return Records(
        list(range(count)),
        [1] * count,
        [None] * count,
        [str(number).encode() for number in numbers],
        [None] * count,
    )


def cursor(numbers: list[int]) -> Cursor:
    """A topic that holds records with these values."""
    log = MemoryLog(now_ms=lambda: 1)
    log.create_topic("t")
    log.producer(transactional_id=None).send("t", 0, run(numbers), timeout_s=1)
    return Cursor(
        log.reader(committed=True), AT, open_end=lambda: 0, fetch_bytes=10_000, timeout_s=1
    )


BASE = list(range(300))


@pytest.mark.parametrize(
    ("present", "named"),
    [
        (BASE, []),
        ([*BASE[:7], 999, *BASE[7:]], [("added", 7, 8, True)]),
        ([999, *BASE], [("added", 0, 1, True)]),
        ([*BASE[:7], *BASE[9:]], [("missing", 7, 9, False)]),
        (BASE[1:], [("missing", 0, 1, False)]),
        (BASE[:299], [("missing", 299, 300, False)]),
        ([], [("missing", 0, 300, False)]),
        ([*BASE[:7], 999, *BASE[8:]], [("altered", 7, 8, True)]),
        ([*BASE[:7], 998, 999, *BASE[9:]], [("altered", 7, 9, True)]),
        # further away than one looks at first
        ([*BASE[:7], *range(1000, 1200), *BASE[7:]], [("added", 7, 207, True)]),
        ([*BASE[:7], *BASE[207:]], [("missing", 7, 207, False)]),
        # two places
        (
            [*BASE[:7], 999, *BASE[7:100], *BASE[101:]],
            [("added", 7, 8, True), ("missing", 100, 101, False)],
        ),
    ],
)
def test_mismatches(present: list[int], named: list[tuple[str, int, int, bool]]) -> None:
    """Each mismatch is named once, by the topic's offsets or, where it is missing, the source's."""
    found = compare(run(BASE), cursor(present))
    assert [
        (one.what, one.first_offset, one.next_offset, one.in_topic) for one in found.mismatches
    ] == named
    assert found.records == len(present)


def test_what_follows_is_left() -> None:
    """Records after those expected stay in the topic for the next comparison."""
    read = cursor([*BASE, 1, 2])
    compare(run(BASE), read)
    assert read.peek(10).values == [b"1", b"2"]
