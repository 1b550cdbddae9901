"""What was refused: the quarantine topic against the source, and the segments against both.

Shares no code with the router.
"""

from collections import Counter
from hashlib import sha256
from typing import Any

from broker.log.memory import Entry, MemoryLog
from tests.sim.checks import BrokenError, Chains, committed
from tests.sim.model import Model, size_bytes

_OURS = ("weir-reason", "weir-source")


def check_refusals(log: MemoryLog, model: Model, chains: Chains) -> None:
    """Each refused offset has one copy, with its reason and source; segments count the same."""
    for (topic, partition), chain in chains.items():
        copies = committed(log, model.quarantine_topic, partition)
        where = f"quarantine {partition}"
        told = [_told(where, copy) for copy in copies]
        prefix = f"{topic}/{partition}/"
        offsets = [int(source.removeprefix(prefix)) for _, source in told if prefix in source]
        if len(offsets) != len(copies):
            raise BrokenError(f"{where}: a source that is not {topic}/{partition}")
        for offset, times in Counter(offsets).items():
            if times > 1:
                raise BrokenError(f"{where}: source offset {offset} is there {times} times")
        reasons = {offset: why for offset, (why, _) in zip(offsets, told, strict=True)}
        _check_counts(chain, reasons)
        source = {entry.offset: entry for entry in committed(log, topic, partition)}
        wanted = [
            _copy(topic, partition, entry, why) for entry, why in _refused(source, chain, model)
        ]
        got = [(copy.key, copy.value, copy.timestamp_ms, copy.headers) for copy in copies]
        if got != wanted:
            raise BrokenError(f"{where}: copies {got}, refused {wanted}")
    for partition in log.entries(model.quarantine_topic):
        if (model.topic, partition) not in chains and committed(
            log, model.quarantine_topic, partition
        ):
            raise BrokenError(f"quarantine {partition}: a copy without a segment")


def _told(where: str, copy: Entry) -> tuple[str, str]:
    """Reason and source, as the copy's own headers tell them, each once."""
    named = [(name, value) for name, value in copy.headers or () if name in _OURS]
    if [name for name, _ in named] != list(_OURS):
        raise BrokenError(f"{where}@{copy.offset}: headers {copy.headers}")
    (_, reason), (_, source) = named
    return (reason or b"").decode(), (source or b"").decode()


def _check_counts(chain: list[dict[str, Any]], reasons: dict[int, str]) -> None:
    for segment in chain:
        said = [(row["reason"], row["records"]) for row in segment["refused"]]
        inside = range(segment["first_offset"], segment["next_offset"])
        there = sorted(Counter(reasons[offset] for offset in inside if offset in reasons).items())
        if said != there:
            raise BrokenError(f"segment {segment['number']}: refused {said}, quarantined {there}")


def _refused(
    source: dict[int, Entry], chain: list[dict[str, Any]], model: Model
) -> list[tuple[Entry, str]]:
    """The records that the segments' policies refuse, in the order of offsets, each with why."""
    refused = []
    for segment in chain:
        if segment["kind"] != "records":
            continue
        for offset in range(segment["first_offset"], segment["next_offset"]):
            entry = source.get(offset)
            why = None if entry is None else model.reason(entry, segment["seq"])
            if entry is not None and why is not None:
                refused.append((entry, why))
    return refused


def _copy(topic: str, partition: int, entry: Entry, why: str) -> tuple[Any, ...]:
    """The copy that is to stand in quarantine for it: key, value, timestamp, headers."""
    ours: list[tuple[str, bytes | None]] = [
        ("weir-reason", why.encode()),
        ("weir-source", f"{topic}/{partition}/{entry.offset}".encode()),
    ]
    if why != "too-large":
        return entry.key, entry.value, entry.timestamp_ms, [*(entry.headers or ()), *ours]
    ours += [
        ("weir-length", str(size_bytes(entry)).encode()),
        ("weir-sha256", sha256(entry.value or b"").hexdigest().encode()),
    ]
    return None, None, entry.timestamp_ms, ours
