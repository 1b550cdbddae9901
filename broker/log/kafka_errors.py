"""What Kafka's errors mean to us.

fatal, fenced ─▶ FencedError          rebuild the clients
abortable ─────▶ LogAbortableError    abort, seek back, try again
timeout ───────▶ LogTimeoutError      outcome unknown: rebuild the clients
one topic ─────▶ TopicUnwritableError
the rest ──────▶ LogError
"""

import logging
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from broker.errors import FencedError, LogAbortableError, LogError, LogTimeoutError

_FENCED = {
    KafkaError._FENCED,  # noqa: SLF001  the library's names for its own codes
    KafkaError._FATAL,  # noqa: SLF001
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.FENCED_INSTANCE_ID,
}
_TIMEOUT = {
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._TRANSPORT,  # noqa: SLF001
}
TOPIC_UNWRITABLE = {
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE,
}

_BROKE = KafkaError(KafkaError._TRANSPORT).str()  # noqa: SLF001

# The library's own lines: where the process has set up logging, and nowhere else.
LIBRDKAFKA = logging.getLogger("librdkafka")
LIBRDKAFKA.addHandler(logging.NullHandler())


class Credentials:
    """Notices that the broker refuses our credentials, which librdkafka tells by callback only."""

    def __init__(self, username: str, bootstrap: str) -> None:
        self._who = f"{username or 'anonymous'} at {bootstrap}"
        self._refused: str | None = None

    def __call__(self, error: KafkaError) -> None:
        """The client's `error_cb`; the rest of what it tells heals itself or fails a call.

        A connection that breaks in its handshake has the same code. It says nothing of the
        credentials, and the library makes another.
        """
        refused = error.code() == KafkaError._AUTHENTICATION  # noqa: SLF001
        if refused and _BROKE not in error.str():
            self._refused = error.str()
        else:
            LIBRDKAFKA.info("%s", error.str())

    def check(self) -> None:
        """Say it in words, once.

        Raises:
            LogError: the credentials were refused since the last call.
        """
        if self._refused is not None:
            said, self._refused = self._refused, None
            raise LogError(
                f"Kafka refused the credentials of {self._who}; check name and password ({said})"
            )


def ours(error: KafkaError, what: str) -> LogError:
    """The error of ours that stands for this one."""
    text = f"{what}: {error.str()} ({error.name()})"
    if error.fatal() or error.code() in _FENCED:
        return FencedError(text)
    if error.txn_requires_abort():
        return LogAbortableError(text)
    if error.retriable() or error.code() in _TIMEOUT:
        return LogTimeoutError(text)
    return LogError(text)


def call(what: str, function: Callable[..., Any], *args: Any) -> Any:
    """Call the client library; its errors become ours.

    Args:
        what: what is attempted, for the message.
        function: of the client library.
        args: its arguments, the time limit among them.

    Raises:
        FencedError, LogAbortableError, LogTimeoutError, LogError: as above.
    """
    try:
        return function(*args)
    except KafkaException as error:
        raise ours(error.args[0], what) from error
    except RuntimeError as error:  # a closed client
        raise LogError(f"{what}: {error}") from error
