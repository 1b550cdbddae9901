"""Checkpoint: what the group offset's own metadata string says of a chain.

It commits atomically with the offset, so it is never ahead of or behind it. About 200 bytes of
JSON; Kafka allows 4,095.
"""

import json

from broker.flow.chain import Chain, UsagePlace

VERSION = 1


def to_metadata(chain: Chain) -> str:
    """The string for a chain whose last segment has a place in `weir.usage`."""
    place = chain.place
    fields = {
        "v": VERSION,
        "topic_id": chain.topic_id,
        "number": chain.number,
        "seq": chain.seq,
        "usage": None if place is None else [place.partition, place.offset, place.at_ms],
        "digest": chain.digest.hex(),
        "watermark_ms": chain.watermark_ms,
    }
    return json.dumps(fields, separators=(",", ":"))


def from_metadata(metadata: str, next_offset: int) -> Chain | None:
    """The chain, or None where the string is missing, foreign or of another version."""
    try:
        fields = json.loads(metadata)
        if fields["v"] != VERSION:
            return None
        partition, offset, at_ms = fields["usage"]
        return Chain(
            topic_id=fields["topic_id"],
            next_offset=next_offset,
            number=int(fields["number"]),
            digest=bytes.fromhex(fields["digest"]),
            seq=int(fields["seq"]),
            watermark_ms=int(fields["watermark_ms"]),
            place=UsagePlace(int(partition), int(offset), int(at_ms)),
        )
    except (ValueError, KeyError, TypeError):
        return None
