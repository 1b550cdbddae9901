"""Probe: what a step finds, and how it ends when something is wrong or cannot be tried."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError

from broker.errors import OperatingError


@dataclass(frozen=True, slots=True)
class Finding:
    """One step: what was tried, whether it is well, and in words what is wrong and what to do.

    `ok` is None where the step could not be tried: neither well nor wrong.
    """

    step: str
    ok: bool | None
    words: str


class StepFailedError(OperatingError):
    """A step is not well; the text says why and what to do. Ends the steps."""


class StepSkippedError(OperatingError):
    """A step cannot be tried; the text says why. The steps go on."""


def take(steps: Sequence[tuple[str, Callable[[], str]]]) -> list[Finding]:
    """What each step found, up to the first that is wrong.

    >>> take([("route", lambda: "is there")])
    [Finding(step='route', ok=True, words='is there')]
    """
    findings: list[Finding] = []
    for name, step in steps:
        try:
            findings.append(Finding(name, True, step()))
        except StepSkippedError as skipped:
            findings.append(Finding(name, None, str(skipped)))
        except StepFailedError as failure:
            findings.append(Finding(name, False, str(failure)))
            break
    return findings


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
