"""Product: a stream for sale, one topic, one subject, one classification.

    draft ─publish▶ publishing ─confirm▶ published ─retire▶ retired
    draft or publishing ─retire▶ retired;  published or retired ─end▶ (its topic is gone)

`publishing` waits for its topics; routers and buyers see it from `published` on.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from broker.domain.events import Validation
from broker.domain.lifecycle import check_act
from broker.domain.period import DAY_MS
from broker.errors import ConflictError, InvalidFieldError

State = Literal["draft", "publishing", "published", "retired"]
Classification = Literal["public", "internal", "confidential", "restricted"]

PARTITIONS_MAX = 64
RETENTION_MIN_MS = 60 * 60 * 1000
RETENTION_MAX_MS = 3650 * DAY_MS
RETENTION_DEFAULT_MS = 92 * DAY_MS
RECORD_MIN_BYTES = 1_000
RECORD_MAX_BYTES = 8_000_000
RECORD_DEFAULT_MAX_BYTES = 1_000_000
QUARANTINE_MIN_BYTES = 1_000_000
QUARANTINE_MAX_BYTES = 100_000_000_000
QUARANTINE_DEFAULT_MAX_BYTES = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One stream. Each act returns its successor and is refused where it is out of place.

    `partitions` is what is wanted, `published_partitions` what routers were told last.
    `event_time_field`: the field of the value that holds event time; the broker's append time
    takes the place of the record timestamp. `record_max_bytes`: key + value + headers.
    """

    id: str
    organisation: str
    title: str
    description: str
    classification: Classification
    topic: str
    quarantine_topic: str
    subject: str
    partitions: int
    retention_ms: int
    quarantine_max_bytes: int
    record_max_bytes: int
    validation: Validation
    event_time_field: str | None
    state: State
    created_at: datetime
    created_by: str
    published_partitions: int | None = None
    topic_id: str | None = None
    published_at: datetime | None = None
    retired_at: datetime | None = None
    ended_at: datetime | None = None
    revision: int = 1

    def publish(self) -> "Product":
        """The seller offers it; its topics are made."""
        self._check("publish", {"draft"})
        return replace(self._next(), state="publishing")

    def confirm(self, topic_id: str, *, now: datetime) -> "Product":
        """Its topics are confirmed: it can be routed and sold."""
        self._check("confirm", {"publishing"})
        return replace(
            self._next(),
            state="published",
            topic_id=topic_id,
            published_partitions=self.partitions,
            published_at=now,
        )

    def describe(
        self,
        *,
        title: str | None = None,
        description: str | None = None,
        classification: Classification | None = None,
    ) -> "Product":
        """Change words."""
        self._check("change", {"draft", "publishing", "published"})
        return replace(
            self._next(),
            title=self.title if title is None else title,
            description=self.description if description is None else description,
            classification=classification or self.classification,
        )

    def keep_for(self, retention_ms: int) -> "Product":
        """Change how long its topic keeps records."""
        self._check("change", {"draft", "publishing", "published"})
        return replace(self._next(), retention_ms=retention_ms)

    def raise_partitions(self, partitions: int) -> "Product":
        """Want more partitions; routers hear of it when every topic has them.

        Raises:
            InvalidFieldError: fewer than now: Kafka cannot take partitions away.
        """
        self._check("change", {"draft", "published"})
        if self.state != "draft" and partitions < self.partitions:
            raise InvalidFieldError(
                "partitions", f"cannot be lowered from {self.partitions} to {partitions}; keep them"
            )
        return replace(self._next(), partitions=partitions)

    def confirm_partitions(self) -> "Product":
        """Every topic has the partitions that are wanted.

        Raises:
            ConflictError: routers know already.
        """
        self._check("confirm partitions", {"published"})
        if self.published_partitions == self.partitions:
            raise ConflictError(f"product {self.id}: {self.partitions} partitions are confirmed")
        return replace(self._next(), published_partitions=self.partitions)

    def retire(self, *, now: datetime) -> "Product":
        """It takes no more records and no more subscriptions."""
        self._check("retire", {"draft", "publishing", "published"})
        return replace(self._next(), state="retired", retired_at=now)

    def end(self, *, now: datetime) -> "Product":
        """Its topic is gone or was recreated.

        Raises:
            ConflictError: it never had one, or has ended before.
        """
        if self.topic_id is None or self.ended_at is not None:
            raise ConflictError(f"product {self.id}: it has no topic that could end")
        return replace(self._next(), ended_at=now)

    def _check(self, act: str, allowed: set[str]) -> None:
        check_act("product", self.id, act, self.state, allowed)

    def _next(self) -> "Product":
        return replace(self, revision=self.revision + 1)
