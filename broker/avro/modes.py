"""Modes: which versions of a subject a new schema is compared with, and who reads whom.

BACKWARD  the new schema reads what the last version wrote (consumers move first)
FORWARD   the last version reads what the new schema writes (producers move first)
FULL      both
…_TRANSITIVE  the same against every version; NONE: nothing is compared
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from broker.avro.compatibility import FINDINGS_MAX, can_read
from broker.avro.types import Type


class Mode(StrEnum):
    """Confluent's seven compatibility levels."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def transitive(self) -> bool:
        """Every version counts, not the last alone."""
        return self.value.endswith("_TRANSITIVE")

    @property
    def backward(self) -> bool:
        """The new schema must read the old data."""
        return self.value.startswith(("BACKWARD", "FULL"))

    @property
    def forward(self) -> bool:
        """The old schemas must read the new data."""
        return self.value.startswith(("FORWARD", "FULL"))


@dataclass(frozen=True, slots=True)
class Version:
    """A version that a new schema is compared with."""

    number: int
    type: Type


def violations(mode: Mode, new: Type, versions: Sequence[Version]) -> tuple[str, ...]:
    """What breaks the mode, one sentence each; empty if nothing does.

    Args:
        mode: the subject's.
        new: the schema that is to be added.
        versions: the subject's, oldest first. Unless the mode is transitive, the last one counts.
    """
    compared = versions if mode.transitive else versions[-1:]
    found: list[str] = []
    for version in reversed(compared):
        if mode.backward:
            found += [
                f"{finding.place}: {finding.message} [{finding.rule}: the new schema cannot read "
                f"what version {version.number} wrote]"
                for finding in can_read(new, version.type)
            ]
        if mode.forward:
            found += [
                f"version {version.number}, {finding.place}: {finding.message} [{finding.rule}: "
                f"version {version.number} cannot read what the new schema writes]"
                for finding in can_read(version.type, new)
            ]
    return tuple(found[:FINDINGS_MAX])
