"""Chain state: where one (topic id, partition, flow) stands after its last committed segment.

A frozen value: a step that fails leaves it as it was, so nothing has to be restored on abort.
"""

from dataclasses import dataclass, replace

from broker.domain.segment import GENESIS_DIGEST, Segment


@dataclass(frozen=True, slots=True)
class UsagePlace:
    """Where a segment stands in `weir.usage`, and when it was written, ms."""

    partition: int
    offset: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Chain:
    """`number` 0 and `place` None: nothing committed yet."""

    topic_id: str
    next_offset: int
    number: int = 0
    digest: bytes = GENESIS_DIGEST
    seq: int = 0
    watermark_ms: int = 0
    place: UsagePlace | None = None

    def after(self, segment: Segment, digest: bytes) -> "Chain":
        """The state once `segment` is committed; its place becomes known with the commit."""
        return replace(
            self,
            next_offset=segment.next_offset,
            number=segment.number,
            digest=digest,
            seq=segment.seq,
            watermark_ms=segment.watermark_ms,
            place=None,
        )
