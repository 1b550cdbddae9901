"""Readers: clients of the log, shared out so that cursors which take turns keep their own.

A cursor holds at most what one fetch brings, its share of 256 MiB, and with it the segment that it
is asked for; where retention cut into a topic, two segments more, in which it is looked for. A
product with more than a thousand topics has a quarter of a MiB for each all the same.
"""

from broker.errors import LogTimeoutError
from broker.log.ports import Log, Reader, TopicPartition
from broker.verify.cursor import Cursor

# Each may hold 64 MiB that it fetched ahead.
READERS_MAX = 8
_BUFFERS_BYTES = 256 * 1024 * 1024
_BUFFER_BYTES_MIN, _BUFFER_BYTES_MAX = 256 * 1024, 16 * 1024 * 1024


class Readers:
    """Opens cursors over committed records. Close it: each reader is a client.

    Args:
        log: the exchange's.
        timeout_s: bounds each call.
    """

    def __init__(self, log: Log, *, timeout_s: float) -> None:
        self._log = log
        self._timeout_s = timeout_s
        self._readers: list[Reader] = []
        self._turn = 0
        self._counts: dict[str, int] = {}
        self._heard: set[tuple[int, str]] = set()
        self._uncommitted = log.reader(committed=False)

    def cursor(self, topic: str, partition: int, *, beside: int) -> Cursor | None:
        """A cursor at the start of a partition; None where there is none.

        Args:
            topic: its topic.
            partition: its number.
            beside: how many cursors are read in turn; they share what may be buffered.
        """
        if self.partitions(topic) <= partition:
            return None
        own = self._turn < READERS_MAX
        reader = self._next(topic)
        share = min(max(_BUFFERS_BYTES // beside, _BUFFER_BYTES_MIN), _BUFFER_BYTES_MAX)
        cursor = Cursor(
            reader,
            TopicPartition(topic, partition),
            open_end=lambda: self.high_watermark(topic, partition),
            fetch_bytes=share,
            timeout_s=self._timeout_s,
        )
        if own:
            cursor.fetch_ahead()
        return cursor

    def greet(self, topic: str, *, timeout_s: float) -> None:
        """Ask a first question, whatever the answer is.

        Raises:
            LogTimeoutError, LogError: no broker answers in time, or it refuses the credentials.
        """
        try:
            self._uncommitted.topic_ids([topic], timeout_s=timeout_s)
        except LogTimeoutError as error:
            raise LogTimeoutError(f"Kafka does not answer within {timeout_s:g} s") from error

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has; 0 where there is none. Asked once for each."""
        if topic not in self._counts:
            count = self._uncommitted.partitions(topic, timeout_s=self._timeout_s)
            self._counts[topic] = count
        return self._counts[topic]

    def topic_ids(self, topics: list[str]) -> dict[str, str]:
        """Id of each topic that exists."""
        return self._uncommitted.topic_ids(topics, timeout_s=self._timeout_s)

    def high_watermark(self, topic: str, partition: int) -> int:
        """End of a partition, open transactions included."""
        at = TopicPartition(topic, partition)
        return self._uncommitted.offsets(at, timeout_s=self._timeout_s).last_stable

    def restart(self) -> None:
        """Begin again with the first reader: cursors opened before are done with."""
        self._turn = 0

    def close(self) -> None:
        """Let go of the clients."""
        for reader in (*self._readers, self._uncommitted):
            reader.close()

    def _next(self, topic: str) -> Reader:
        if self._turn == len(self._readers) and len(self._readers) < READERS_MAX:
            first = self._readers[0] if self._readers else None
            self._readers.append(first.beside() if first else self._log.reader(committed=True))
        at = self._turn % len(self._readers)
        self._turn += 1
        if (at, topic) not in self._heard:
            # A client that has not asked for a topic takes up to a second to hear who leads it.
            self._readers[at].partitions(topic, timeout_s=self._timeout_s)
            self._heard.add((at, topic))
        return self._readers[at]
