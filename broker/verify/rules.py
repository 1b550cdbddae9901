"""Rules: what the control log says, as values: of a product, a schema id, a subscription."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Timeline(Generic[T]):
    """Values and the seq from which each holds."""

    seqs: list[int] = field(default_factory=list)
    values: list[T] = field(default_factory=list)

    def add(self, seq: int, value: T) -> None:
        """From `seq` on it is `value`."""
        self.seqs.append(seq)
        self.values.append(value)

    def at(self, seq: int) -> T | None:
        """What holds at `seq`; None before the first."""
        index = bisect_right(self.seqs, seq)
        return self.values[index - 1] if index else None


@dataclass(frozen=True, slots=True)
class Settings:
    """What is sold, as a product's events say."""

    product: str
    topic: str
    topic_id: str
    partitions: int
    quarantine_topic: str
    subject: str
    validation: str
    record_max_bytes: int
    closing_end_ms: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Pin:
    """A plan version, pinned by an event."""

    seq: int
    at_ms: int
    plan: str
    version: int


@dataclass(slots=True)
class Subscription:
    """One subscription's life. `spans`: when it was active, ms, the last open while it is."""

    id: str
    product: str
    delivery_topic: str
    period_anchor_ms: int | None
    period_length_ms: int | None
    active: Timeline[bool] = field(default_factory=Timeline)
    pins: list[Pin] = field(default_factory=list)
    spans: list[tuple[int, int | None]] = field(default_factory=list)
    ended: bool = False

    def spans_known(self, seq: int) -> list[tuple[int, int | None]]:
        """The spans that had begun by `seq`; ends that came later are in them."""
        begun = [at for at, on in zip(self.active.seqs, self.active.values, strict=True) if on]
        return [span for span, at in zip(self.spans, begun, strict=False) if at <= seq]


@dataclass(frozen=True, slots=True)
class SchemaState:
    """One schema id of a subject: its JSON text, and whether it is retired."""

    schema: str
    retired: bool


@dataclass(frozen=True)
class Rules:
    """What one product's records are judged by at one seq.

    `schemas`: ids of its subject; `known_ids`: of any. `active`: subscriptions delivered to.
    `periods`: (anchor_ms, length_ms) of every fixed-length period sold.
    """

    settings: Settings
    schemas: Mapping[int, SchemaState]
    known_ids: frozenset[int]
    active: tuple[str, ...]
    periods: frozenset[tuple[int, int]]
