"""A time limit for the closing of clients, which the library does not give."""

import threading
from collections.abc import Callable

import structlog
from confluent_kafka import KafkaException

_log = structlog.get_logger(__name__)


def bounded(what: str, close: Callable[[], object], *, timeout_s: float) -> bool:
    """Run `close` beside us and wait for it at most `timeout_s`; False where it goes on.

    A client whose credentials are gone can block in it for 45 s. The thread is a daemon: it never
    keeps the process.
    """
    thread = threading.Thread(target=_logged, args=(what, close), name=what, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if thread.is_alive():
        _log.warning("still closing, left to itself", client=what, timeout_s=timeout_s)
    return not thread.is_alive()


def _logged(what: str, close: Callable[[], object]) -> None:
    """A client that has failed for good says so once more when it is closed."""
    try:
        close()
    except KafkaException as error:
        _log.info("closed", client=what, error=error.args[0].str())
