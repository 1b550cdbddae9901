"""Events: `weir.control` read whole, checked for holes and repeats, and against PostgreSQL."""

import hashlib
from collections.abc import Iterator

from sqlalchemy import Engine, select

from broker.errors import InvalidFieldError
from broker.store.control import ControlEventRow
from broker.verify.control import History
from broker.verify.cursor import Cursor
from broker.verify.decode import control_line
from broker.verify.findings import Findings
from broker.verify.report import Difference

CONTROL_TOPIC = "weir.control"
_RUN_RECORDS = 5_000
_PAGE_ROWS = 1_000


def history(cursor: Cursor | None, engine: Engine, findings: Findings) -> History:
    """Fold the control log up to its end; what is wrong with it goes into `findings`."""
    folded = History()
    if cursor is None:
        findings.differ(Difference(store="control", what=f"topic {CONTROL_TOPIC} does not exist"))
        return folded
    digests: list[bytes] = []
    while len(run := cursor.peek(_RUN_RECORDS)):
        for offset, value in zip(run.offsets, run.values, strict=True):
            fault = _add(folded, digests, value)
            if fault is not None:
                findings.differ(
                    Difference(
                        store="control",
                        what=fault,
                        partition=0,
                        first_offset=offset,
                        next_offset=offset + 1,
                        topic=CONTROL_TOPIC,
                    )
                )
        cursor.skip(len(run))
    for seq, fault in folded.faults:
        findings.differ(Difference(store="control", what=f"seq {seq}: {fault}"))
    for fault in _stored_faults(engine, digests):
        findings.differ(Difference(store="control", what=fault))
    return folded


def _add(folded: History, digests: list[bytes], value: bytes | None) -> str | None:
    """Fold in one record; what is wrong with it, if anything is."""
    try:
        line = control_line(value or b"")
    except InvalidFieldError as error:
        return str(error)
    digest = hashlib.sha256(value or b"").digest()
    if line.seq < 1:
        return f"seq {line.seq} is not a number of an event"
    if line.seq <= len(digests):
        if digests[line.seq - 1] == digest:
            return None
        return f"seq {line.seq} ({line.kind}) stands here again with another content"
    if line.seq > len(digests) + 1:
        return f"seq {line.seq} ({line.kind}) follows {len(digests)}: a hole, no reader passes it"
    digests.append(digest)
    folded.apply(line)
    return None


def _stored_faults(engine: Engine, digests: list[bytes]) -> Iterator[str]:
    expected = 1
    for seq, kind, canonical, published in _rows(engine):
        yield from (
            f"seq {missing}: weir.control holds it, PostgreSQL does not"
            for missing in range(expected, min(seq, len(digests) + 1))
        )
        expected = seq + 1
        if seq <= len(digests):
            if digests[seq - 1] != hashlib.sha256(canonical).digest():
                yield f"seq {seq} ({kind}): PostgreSQL's bytes differ from those in weir.control"
        elif published:
            yield f"seq {seq} ({kind}): PostgreSQL says published, weir.control does not hold it"
    yield from (
        f"seq {missing}: weir.control holds it, PostgreSQL does not"
        for missing in range(expected, len(digests) + 1)
    )


def _rows(engine: Engine) -> Iterator[tuple[int, str, bytes, bool]]:
    after = 0
    while True:
        query = (
            select(
                ControlEventRow.seq,
                ControlEventRow.kind,
                ControlEventRow.canonical,
                ControlEventRow.published_at,
            )
            .where(ControlEventRow.seq > after)
            .order_by(ControlEventRow.seq)
            .limit(_PAGE_ROWS)
        )
        with engine.connect() as connection:
            rows = connection.execute(query).all()
        for seq, kind, canonical, published_at in rows:
            yield seq, kind, bytes(canonical), published_at is not None
        if len(rows) < _PAGE_ROWS:
            return
        after = rows[-1][0]
