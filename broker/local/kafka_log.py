"""Why a broker did not start, in words. It writes the reason to its log alone."""

from dataclasses import dataclass
from pathlib import Path

from broker.local.child import tail

_WORDS = {
    "failed to bind": "one of its ports is taken by another program",
    "No readable meta.properties": "its data directory was never formatted, or lost its files",
    "Failed to acquire lock": "another broker runs on its data directory",
    "AccessDeniedException": "it may not write in its data directory",
    "No space left on device": "the disk is full",
    "OutOfMemoryError": "it had too little memory",
    "Invalid cluster.id": "its data directory belongs to another cluster",
}
_ERROR_MAX_CHARACTERS = 300


@dataclass(frozen=True)
class Reason:
    """The reason in words, and whether other ports would help."""

    words: str
    port_taken: bool = False


def reason_in(log: Path, output: Path, seen_bytes: int) -> Reason:
    """Read what this start wrote.

    Args:
        log: server.log.
        output: what Java itself printed; it speaks where the broker never got to its log.
        seen_bytes: length of the log before this start.
    """
    written = tail(log, seen_bytes)
    text = "\n".join(written)
    for mark, words in _WORDS.items():
        if mark in text:
            return Reason(words, port_taken=mark == "failed to bind")
    errors = [line for line in written if " ERROR " in line or " FATAL " in line]
    lines = errors or tail(output, 0)
    if lines:
        return Reason(lines[-1][:_ERROR_MAX_CHARACTERS])
    return Reason("it gave no reason in the time allowed; is the machine very busy?")
