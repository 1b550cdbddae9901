"""Source: what a segment's range of the product's topic holds, and what of it should pass.

source topic ──until(next_offset)──▶ judged by the rules at the segment's seq ──▶ Judged
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from broker.log.ports import Headers, Records
from broker.verify.chain import Link
from broker.verify.columns import Measured, measure, weigh, weigh_one
from broker.verify.cursor import Cursor
from broker.verify.decode import SegmentLine
from broker.verify.rules import Rules
from broker.verify.validity import refused


@dataclass(frozen=True, slots=True)
class Judged:
    """Of one segment's range: what is valid, and the copies that quarantine should hold.

    `faults`: where the segment's account of the range is wrong.
    """

    records: int
    valid: Records
    measured: Measured
    copies: Records
    refused: Counter[str]
    faults: tuple[str, ...]


def judge(run: Records, segment: SegmentLine, link: Link, rules: Rules) -> Judged:
    """Judge the records of a segment's range by the rules at its seq.

    Args:
        run: what the source holds in the range.
        segment: the account of it.
        link: the chain before it.
        rules: at the segment's seq.
    """
    reasons = refused(run, rules)
    valid = run
    if reasons:
        valid = run.take([index for index in range(len(run)) if index not in reasons])
    counts = Counter(reasons.values())
    return Judged(
        records=len(run),
        valid=valid,
        measured=measure(valid),
        copies=_copies(run, reasons, segment),
        refused=counts,
        faults=tuple(_faults(run, counts, segment, link, rules)),
    )


def unread_before(cursor: Cursor, segment: SegmentLine) -> Records:
    """What the source still holds before a chain's first segment: never routed."""
    return cursor.until(segment.first_offset)


def reasons_of(copies: Records) -> Counter[str]:
    """How many quarantine copies there are of each reason."""
    found: Counter[str] = Counter()
    for headers in copies.headers:
        reason = dict(headers or ()).get("weir-reason")
        found[(reason or b"").decode(errors="replace")] += 1
    return found


def offset_of(headers: Headers | None) -> int | None:
    """The source offset that a quarantine copy names; None where it names none."""
    place = dict(headers or ()).get("weir-source") or b""
    offset = place.rpartition(b"/")[2]
    return int(offset) if offset.isdigit() else None


def _faults(
    run: Records, counts: Counter[str], segment: SegmentLine, link: Link, rules: Rules
) -> Iterator[str]:
    if segment.kind == "gap" and len(run):
        yield f"states a gap over {len(run)} readable records"
        return
    if segment.source_records != len(run):
        yield f"states {segment.source_records} source records, there are {len(run)}"
    size_bytes = weigh(run)
    if segment.source_bytes != size_bytes:
        yield f"states {segment.source_bytes} source bytes, there are {size_bytes}"
    if dict(segment.refused) != dict(counts):
        yield f"states as refused {dict(segment.refused)}, the rules refuse {dict(counts)}"
    yield from _time_faults(run, segment, link, rules)


def _time_faults(run: Records, segment: SegmentLine, link: Link, rules: Rules) -> Iterator[str]:
    before_ms = link.watermark_ms
    if len(run):
        first = {max(before_ms, run.timestamps_ms[0])}
        last = {max(before_ms, *run.timestamps_ms)}
    else:
        # An idle partition proves a period's end by taking it over as its billing time.
        first = last = {before_ms, max(before_ms, rules.settings.closing_end_ms)}
    if segment.watermark_ms not in last:
        yield f"states billing time {segment.watermark_ms} after it, it is {max(last)}"
    if segment.billing_first_ms not in first:
        yield f"states billing time {segment.billing_first_ms} at first, it is {max(first)}"


def _copies(run: Records, reasons: dict[int, str], segment: SegmentLine) -> Records:
    copies = run.take(list(reasons))
    keys, values, headers = list(copies.keys), list(copies.values), list(copies.headers)
    for at, reason in enumerate(reasons.values()):
        place = f"{segment.topic}/{segment.partition}/{copies.offsets[at]}"
        added: list[tuple[str, bytes | None]] = [
            ("weir-reason", reason.encode()),
            ("weir-source", place.encode()),
        ]
        if reason == "too-large":
            size_bytes = weigh_one(keys[at], values[at], headers[at])
            added += [
                ("weir-length", str(size_bytes).encode()),
                ("weir-sha256", sha256(values[at] or b"").hexdigest().encode()),
            ]
            keys[at] = values[at] = headers[at] = None
        headers[at] = _with(headers[at], added)
    return Records(copies.offsets, copies.timestamps_ms, keys, values, headers)


def _with(own: Headers | None, added: list[tuple[str, bytes | None]]) -> Headers:
    return (*(own or ()), *added)
