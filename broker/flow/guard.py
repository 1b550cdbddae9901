"""Guard: that a source topic is still the one its policy names.

A topic recreated under a live consumer is read on from the old offset, silently. The check is
started after the poll and awaited before the commit, beside the batch's work: ids never return, so
an id seen after the poll was the id during it.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as FutureTimeoutError

from broker.errors import LogError, PoisonedBatchError
from broker.log.ports import Reader

_GRACE_S = 0.5  # the question's own time limit strikes first


class TopicGuard:
    """Asks for topic ids in the background of a batch."""

    def __init__(self, reader: Reader, executor: Executor, *, timeout_s: float) -> None:
        self._reader = reader
        self._executor = executor
        self._timeout_s = timeout_s

    def ask(self, topics: Sequence[str]) -> Callable[[], Mapping[str, str]]:
        """Start asking; call what it gives to wait for the ids, a bounded time.

        Raises:
            PoisonedBatchError: from the wait, where Kafka did not answer in time, or said no.
                Nothing was committed and the clients are good: abort, ask again with the retry.
        """
        asked: Future[dict[str, str]] = self._executor.submit(
            self._reader.topic_ids, topics, timeout_s=self._timeout_s
        )

        def confirmed() -> Mapping[str, str]:
            try:
                # Bounded here too: it may stand behind an earlier question that hangs.
                return asked.result(self._timeout_s + _GRACE_S)
            except (LogError, FutureTimeoutError) as error:
                raise PoisonedBatchError(f"topics not confirmed since the poll: {error}") from error

        return confirmed
