"""What must hold after every step, judged from what was written. Shares no code with the router.

Entitlement and validity are `model.py`'s, the quarantine topic `refusals.py`'s; coverage, order and
counts stand here: over the source log, the delivery topics and the segments' own words.
"""

import io
import json
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import fastavro

from broker.log.memory import Entry, MemoryLog, State
from broker.log.ports import TopicPartition
from tests.sim.model import Model, size_bytes

SCHEMA = fastavro.parse_schema(json.loads(Path("schemas/Segment.avsc").read_text()))
GROUP = "weir-router"
Chains = dict[tuple[str, int], list[dict[str, Any]]]
"""Segments by (source topic, partition)."""


class BrokenError(AssertionError):
    """An invariant does not hold."""


def committed(log: MemoryLog, topic: str, partition: int) -> list[Entry]:
    """Records that a read_committed reader would see by now or later."""
    entries = log.entries(topic).get(partition, [])
    return [e for e in entries if not e.marker and e.state is State.COMMITTED]


def segments(log: MemoryLog) -> Chains:
    """Committed segments by (source topic, partition), in the order of `weir.usage`."""
    chains: Chains = defaultdict(list)
    for partition in log.entries("weir.usage"):
        for entry in committed(log, "weir.usage", partition):
            segment = _decoded(entry.value or b"")
            chains[segment["topic"], segment["partition"]].append(segment)
    return chains


@lru_cache(maxsize=1_000)
def _decoded(value: bytes) -> dict[str, Any]:
    """Every step looks at all segments again; nobody changes one."""
    segment: dict[str, Any] = fastavro.schemaless_reader(io.BytesIO(value[10:]), SCHEMA, None)  # type: ignore[assignment]
    segment["own_digest"] = sha256(value).digest()
    return segment


def check_coverage(log: MemoryLog, periods: Iterable[tuple[int, int]], chains: Chains) -> None:
    """Invariant 1: numbers contiguous, digests chained, offsets tile, the last is committed."""
    offsets = log.committed_offsets(GROUP)
    for (topic, partition), chain in chains.items():
        number, next_offset, digest, watermark, seq = 0, 0, bytes(32), 0, 0
        for segment in chain:
            where = f"{topic}/{partition} segment {segment['number']}"
            if segment["number"] != number + 1:
                raise BrokenError(f"{where}: follows {number}")
            if segment["first_offset"] != next_offset:
                raise BrokenError(
                    f"{where}: begins at {segment['first_offset']}, not {next_offset}"
                )
            if segment["previous_digest"] != digest:
                raise BrokenError(f"{where}: names another digest")
            if segment["watermark_ms"] < watermark or segment["seq"] < seq:
                raise BrokenError(f"{where}: watermark or seq ran backwards")
            if segment["watermark_ms"] // 900_000 != segment["billing_first_ms"] // 900_000:
                raise BrokenError(f"{where}: straddles a quarter hour")
            first_ms, last_ms = segment["billing_first_ms"], segment["watermark_ms"]
            if any((first_ms - at) // length != (last_ms - at) // length for at, length in periods):
                raise BrokenError(f"{where}: straddles the end of a fixed period")
            number, next_offset = segment["number"], segment["next_offset"]
            digest, watermark = segment["own_digest"], segment["watermark_ms"]
            seq = segment["seq"]
        at = offsets.get(TopicPartition(topic, partition))
        if chain and (at is None or at.offset != next_offset):
            raise BrokenError(f"{topic}/{partition}: committed {at}, segments reach {next_offset}")


def check_deliveries(log: MemoryLog, model: Model, chains: Chains) -> None:
    """Invariants 2 and 3: what is visible is what the segments' policies entitle to, in order."""
    for (topic, partition), chain in chains.items():
        source = {e.offset: e for e in committed(log, topic, partition)}
        expected = _expected(source, chain, model)
        for subscription, topic_name in model.delivery_topics.items():
            seen = committed(log, topic_name, partition)
            got = [(e.key, e.value, e.timestamp_ms, e.headers) for e in seen]
            wanted = [(e.key, e.value, e.timestamp_ms, e.headers) for e in expected[subscription]]
            if got != wanted:
                raise BrokenError(
                    f"{topic_name}/{partition}: {len(got)} visible, {len(wanted)} accounted for"
                )
    for topic_name in model.delivery_topics.values():
        for partition in log.entries(topic_name):
            if (model.topic, partition) not in chains and committed(log, topic_name, partition):
                raise BrokenError(f"{topic_name}/{partition}: delivered without a segment")


def _expected(
    source: dict[int, Entry], chain: list[dict[str, Any]], model: Model
) -> dict[str, list[Entry]]:
    """What each subscription is to see of one partition; what each segment counts is compared."""
    expected: dict[str, list[Entry]] = defaultdict(list)
    for segment in chain:
        if segment["kind"] != "records":
            if segment["deliveries"] or segment["source_records"]:
                raise BrokenError(
                    f"segment {segment['number']}: {segment['kind']}, but it delivers"
                )
            continue
        offsets = range(segment["first_offset"], segment["next_offset"])
        entries = [source[offset] for offset in offsets if offset in source]
        read = (len(entries), sum(map(size_bytes, entries)))
        if (segment["source_records"], segment["source_bytes"]) != read:
            raise BrokenError(f"segment {segment['number']}: read {read} records and bytes")
        valid = [entry for entry in entries if model.reason(entry, segment["seq"]) is None]
        held = {row["subscription"] for row in segment["undeliverable"]}
        entitled = model.entitled(segment["seq"]) if valid else frozenset()
        for subscription in entitled - held:
            expected[subscription] += valid
        each = (len(valid), sum(map(size_bytes, valid)))
        counts = {
            "deliveries": dict.fromkeys(entitled - held, each),
            "undeliverable": dict.fromkeys(entitled & held, each),
        }
        for field, wanted in counts.items():
            said = {
                row["subscription"]: (row["records"], row["billed_bytes"]) for row in segment[field]
            }
            if said != wanted:
                raise BrokenError(f"segment {segment['number']}: {field} {said}, not {wanted}")
    return expected
