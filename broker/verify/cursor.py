"""Cursor: one partition read forward, with a bounded buffer.

log ──fetch──▶ buffer ──until(offset), take(count)──▶ the recount
"""

import time
from bisect import bisect_left
from collections.abc import Callable
from itertools import chain

from broker.errors import LogTimeoutError
from broker.log.ports import EMPTY, Reader, Records, TopicPartition

# Until a record was seen it may be as large as Kafka allows; then the estimate falls step by step.
_FIRST_RECORD_BYTES = 1024 * 1024
_ESTIMATE_FALLS = 8
_FETCH_RECORDS_MAX = 50_000
_SAMPLE_RECORDS = 100
# A transaction takes milliseconds to show everywhere; one that hangs is not waited for.
_SETTLE_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


class Cursor:
    """Where the recount stands in one partition. `end` is a snapshot: `refresh` moves it.

    Args:
        reader: reads committed records.
        partition: which.
        open_end: the partition's end with open transactions.
        fetch_bytes: about how much to fetch at a time, by the size of the records before.
        timeout_s: bounds each call to the log.
    """

    def __init__(
        self,
        reader: Reader,
        partition: TopicPartition,
        *,
        open_end: Callable[[], int],
        fetch_bytes: int,
        timeout_s: float,
    ) -> None:
        self.partition = partition
        self._reader = reader
        self._open_end = open_end
        self._fetch_bytes = fetch_bytes
        self._timeout_s = timeout_s
        offsets = reader.offsets(partition, timeout_s=timeout_s)
        self.start = offsets.start
        self.end = offsets.last_stable
        self.unreadable: list[int] = []
        self._buffer = EMPTY
        self._index = 0
        self._next = offsets.start
        self._record_bytes = float(_FIRST_RECORD_BYTES)

    def fetch_ahead(self) -> None:
        """Let the log begin to fetch, beside what is read of others until the first `peek`."""
        self._reader.read(
            TopicPartition(*self.partition), self._next, records_max=0, timeout_s=self._timeout_s
        )

    def refresh(self) -> None:
        """Take the partition's end anew."""
        self.end = self._reader.offsets(self.partition, timeout_s=self._timeout_s).last_stable

    def settle(self) -> None:
        """Take the end anew once the transactions that are open now have ended; bounded.

        A commit becomes visible partition by partition: a segment may be there some milliseconds
        before the records that it accounts for.
        """
        open_end = self._open_end()
        for wait_s in (0.0, *_SETTLE_S):
            time.sleep(wait_s)
            self.refresh()
            if self.end >= open_end:
                return

    def until(self, next_offset: int) -> Records:
        """The records before `next_offset`; the cursor goes past them.

        Raises:
            LogTimeoutError: Kafka brought nothing in time.
        """
        runs = []
        while True:
            stop = bisect_left(self._buffer.offsets, next_offset, self._index)
            runs.append(self._buffer.slice(self._index, stop))
            self._index = stop
            if stop < len(self._buffer) or self._next >= min(next_offset, self.end):
                return joined(runs)
            self._fetch()

    def peek(self, count: int) -> Records:
        """The next `count` records, fewer at the end; the cursor stays.

        A fetch may bring younger records than there were when the end was taken. They wait for a
        `refresh`: a segment among them may be there before the other cursors' ends reach it.

        Raises:
            LogTimeoutError: Kafka brought nothing in time.
        """
        while len(self._buffer) - self._index < count and self._next < self.end:
            self._fetch()
        stop = bisect_left(self._buffer.offsets, self.end, self._index)
        return self._buffer.slice(self._index, min(stop, self._index + count))

    def skip(self, count: int) -> None:
        """Go past `count` records that were peeked at."""
        self._index += count

    def seek(self, offset: int) -> None:
        """Go on from `offset`, forwards or back."""
        self._buffer = EMPTY
        self._index = 0
        self._next = max(offset, self.start)

    def _fetch(self) -> None:
        fetched = self._reader.read(
            TopicPartition(*self.partition),
            self._next,
            records_max=self._records_max(),
            timeout_s=self._timeout_s,
        )
        held = self._buffer.slice(self._index, len(self._buffer))
        self._buffer = joined([held, _listed(fetched.records)])
        self._index = 0
        if len(fetched.records):
            self._sample(fetched.records)
        if fetched.unreadable_at is not None:
            self.unreadable.append(fetched.unreadable_at)
            self._next = fetched.unreadable_at + 1
        elif fetched.next_offset > self._next:
            self._next = fetched.next_offset
        elif fetched.at_end:
            self._next = self.end
        else:
            topic, partition = self.partition
            raise LogTimeoutError(
                f"topic {topic} partition {partition}: nothing read at offset {self._next} within "
                f"{self._timeout_s} s, its end is {self.end}; is the broker up?"
            )

    def _records_max(self) -> int:
        wanted = int(self._fetch_bytes / self._record_bytes)
        return min(max(wanted, 1), _FETCH_RECORDS_MAX)

    def _sample(self, records: Records) -> None:
        step = max(1, len(records) // _SAMPLE_RECORDS)
        sampled = records.values[::step]
        held = sum(map(len, filter(None, sampled))) / len(sampled)
        self._record_bytes = max(self._record_bytes / _ESTIMATE_FALLS, held + 100)


def joined(runs: list[Records]) -> Records:
    """Runs of one partition as one run."""
    filled = [run for run in runs if len(run)]
    if not filled:
        return Records([], [], [], [], [])
    if len(filled) == 1:
        return filled[0]
    return Records(
        list(chain.from_iterable(run.offsets for run in filled)),
        list(chain.from_iterable(run.timestamps_ms for run in filled)),
        list(chain.from_iterable(run.keys for run in filled)),
        list(chain.from_iterable(run.values for run in filled)),
        list(chain.from_iterable(run.headers for run in filled)),
    )


def _listed(records: Records) -> Records:
    # Lists throughout: a list never equals a tuple, whatever is in them.
    headers = list(records.headers)
    if any(headers):
        headers = [tuple((name, value) for name, value in h) if h else None for h in headers]
    return Records(
        list(records.offsets),
        list(records.timestamps_ms),
        list(records.keys),
        list(records.values),
        headers,
    )
