"""What must hold after every step, judged from what was written. Shares no code with the router.

The model of entitlement, validity and order here is its own: a few lines over the source log, the
control log as the simulator wrote it, and the segments' own words.
"""

import io
import json
from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import fastavro

from broker.log.memory import Entry, MemoryLog, State
from broker.log.ports import TopicPartition

SCHEMA = fastavro.parse_schema(json.loads(Path("schemas/Segment.avsc").read_text()))
GROUP = "weir-router"


class BrokenError(AssertionError):
    """An invariant does not hold."""


def committed(log: MemoryLog, topic: str, partition: int) -> list[Entry]:
    """Records that a read_committed reader would see by now or later."""
    entries = log.entries(topic).get(partition, [])
    return [e for e in entries if not e.marker and e.state is State.COMMITTED]


def segments(log: MemoryLog) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """Committed segments by (source topic, partition), in the order of `weir.usage`."""
    chains: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for partition in log.entries("weir.usage"):
        for entry in committed(log, "weir.usage", partition):
            body = io.BytesIO((entry.value or b"")[10:])
            segment = fastavro.schemaless_reader(body, SCHEMA, None)
            segment["own_digest"] = sha256(entry.value or b"").digest()
            chains[segment["topic"], segment["partition"]].append(segment)
    return chains


def check_coverage(log: MemoryLog, periods: Iterable[tuple[int, int]]) -> None:
    """Invariant 1: numbers contiguous, digests chained, offsets tile, the last is committed."""
    offsets = log.committed_offsets(GROUP)
    for (topic, partition), chain in segments(log).items():
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


def check_deliveries(log: MemoryLog, model: "Model") -> None:
    """Invariants 2 and 3: what is visible is what the segments' policies entitle to, in order."""
    chains = segments(log)
    for (topic, partition), chain in chains.items():
        source = {e.offset: e for e in committed(log, topic, partition)}
        expected, refused = _expected(source, chain, model)
        for subscription, topic_name in model.delivery_topics.items():
            seen = committed(log, topic_name, partition)
            got = [(e.key, e.value, e.timestamp_ms, e.headers) for e in seen]
            wanted = [(e.key, e.value, e.timestamp_ms, e.headers) for e in expected[subscription]]
            if got != wanted:
                raise BrokenError(
                    f"{topic_name}/{partition}: {len(got)} visible, {len(wanted)} accounted for"
                )
        copies = [e.value for e in committed(log, model.quarantine_topic, partition)]
        if copies != refused:
            raise BrokenError(f"quarantine {partition}: {len(copies)}, refused {len(refused)}")
    for topic_name in model.delivery_topics.values():
        for partition in log.entries(topic_name):
            if (model.topic, partition) not in chains and committed(log, topic_name, partition):
                raise BrokenError(f"{topic_name}/{partition}: delivered without a segment")


def _expected(
    source: dict[int, Entry], chain: list[dict[str, Any]], model: "Model"
) -> tuple[dict[str, list[Entry]], list[bytes | None]]:
    """What each subscription is to see of one partition, and the refused values."""
    expected: dict[str, list[Entry]] = defaultdict(list)
    refused: list[bytes | None] = []
    for segment in chain:
        if segment["kind"] != "records":
            if segment["deliveries"] or segment["source_records"]:
                raise BrokenError(
                    f"segment {segment['number']}: {segment['kind']}, but it delivers"
                )
            continue
        offsets = range(segment["first_offset"], segment["next_offset"])
        entries = [source[offset] for offset in offsets if offset in source]
        valid = [entry for entry in entries if model.valid(entry, segment["seq"])]
        refused += [entry.value for entry in entries if entry not in valid]
        held = {row["subscription"] for row in segment["undeliverable"]}
        entitled = model.entitled(segment["seq"]) - held if valid else frozenset()
        for subscription in entitled:
            expected[subscription] += valid
        said = {row["subscription"]: row["records"] for row in segment["deliveries"]}
        if said != dict.fromkeys(entitled, len(valid)):
            raise BrokenError(f"segment {segment['number']}: {said}, not {entitled}")
    return expected, refused


class Model:
    """The simulator's own word on the policy: who is active and which ids are known, by seq."""

    def __init__(self, topic: str, quarantine_topic: str) -> None:
        self.topic = topic
        self.quarantine_topic = quarantine_topic
        self.delivery_topics: dict[str, str] = {}
        self.concerned_seq = 0
        self._active: list[frozenset[str]] = [frozenset()]
        self._ids: list[frozenset[int]] = [frozenset()]

    def note(self, *, active: frozenset[str] | None = None, schema_id: int | None = None) -> None:
        """The next seq, with what changed."""
        self._active.append(self._active[-1] if active is None else active)
        if schema_id is None:
            self.concerned_seq = self.seq
        self._ids.append(self._ids[-1] | ({schema_id} if schema_id is not None else set()))

    @property
    def active(self) -> frozenset[str]:
        """Subscriptions active at the end of the control log."""
        return self._active[-1]

    @property
    def seq(self) -> int:
        """End of the control log."""
        return len(self._active) - 1

    def entitled(self, seq: int) -> frozenset[str]:
        """Who gets a valid record under this seq."""
        return self._active[seq]

    def valid(self, entry: Entry, seq: int) -> bool:
        """A tombstone, or the header of an id known under this seq."""
        if entry.value is None:
            return True
        head = entry.value[:5]
        return head[:1] == b"\0" and int.from_bytes(head[1:5]) in self._ids[seq] and len(head) == 5
