"""Probe: what a step finds, and how it ends when something is wrong."""

from dataclasses import dataclass

from confluent_kafka import KafkaError

from broker.errors import OperatingError


@dataclass(frozen=True, slots=True)
class Finding:
    """One step: what was tried, whether it is well, and in words what is wrong and what to do."""

    step: str
    ok: bool
    words: str


class StepFailedError(OperatingError):
    """A step is not well; the text says why and what to do. Ends the steps."""


class Told:
    """Notices refused credentials and broken connections: librdkafka tells by callback only."""

    def __init__(self) -> None:
        self.refused: str | None = None
        self.last = ""

    def __call__(self, error: KafkaError) -> None:
        """The client's `error_cb`."""
        if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001  the library's name for it
            self.refused = error.str()
        self.last = error.str()
