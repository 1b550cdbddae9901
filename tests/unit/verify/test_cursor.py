"""A cursor stands in a partition as it was when its end was taken."""

from broker.log.memory import MemoryLog
from broker.log.ports import Records, TopicPartition
from broker.verify.cursor import Cursor


def write(log: MemoryLog, *values: bytes) -> None:
    """Records outside transactions."""
    count = len(values)
    records = Records(list(range(count)), [0] * count, [None] * count, values, [None] * count)
    log.producer(transactional_id=None).send("t", 0, records, timeout_s=1)


def test_younger_records_wait() -> None:
    """What came after the end was taken is seen once it is taken anew, though it was fetched."""
    log = MemoryLog(now_ms=lambda: 0)
    log.create_topic("t")
    write(log, b"a", b"b")
    cursor = Cursor(
        log.reader(committed=True),
        TopicPartition("t", 0),
        open_end=lambda: 0,
        fetch_bytes=10_000_000,
        timeout_s=1,
    )
    write(log, b"c")
    assert cursor.peek(10).values == [b"a", b"b"]
    cursor.skip(2)
    assert cursor.peek(10).values == []
    cursor.refresh()
    assert cursor.peek(10).values == [b"c"]
