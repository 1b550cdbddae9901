"""Events: `weir.control` read whole, checked for holes and repeats, and against PostgreSQL."""

import hashlib
from collections.abc import Iterator

from sqlalchemy import Engine, func, select

from broker.errors import InvalidFieldError
from broker.store.control import ControlEventRow
from broker.verify.control import History
from broker.verify.cursor import Cursor
from broker.verify.decode import control_line
from broker.verify.findings import Findings
from broker.verify.report import Difference
from broker.verify.rules import Rules

CONTROL_TOPIC = "weir.control"
_RUN_RECORDS = 5_000
_PAGE_ROWS = 1_000


class ControlLog:
    """The control log as far as it has been read, and its fold.

    Read on when a segment names a later seq: on a working exchange the log grows meanwhile.
    """

    def __init__(self, cursor: Cursor | None, findings: Findings) -> None:
        self.history = History()
        self._cursor = cursor
        self._findings = findings
        self._digests: list[bytes] = []
        if cursor is None:
            self._differ(f"topic {CONTROL_TOPIC} does not exist")

    def advance(self) -> None:
        """Fold what there is by now; what is wrong with it goes into the findings."""
        if self._cursor is None:
            return
        self._cursor.refresh()
        while len(run := self._cursor.peek(_RUN_RECORDS)):
            for offset, value in zip(run.offsets, run.values, strict=True):
                fault = _add(self.history, self._digests, value)
                if fault is not None:
                    self._differ(fault, offset)
            self._cursor.skip(len(run))
        for seq, fault in self.history.faults:
            self._differ(f"seq {seq}: {fault}")
        self.history.faults.clear()

    def rules(self, product: str, seq: int) -> Rules | None:
        """What a product's records are judged by at `seq`; None where there is no such seq."""
        if seq > self.history.last_seq:
            self.advance()
        if seq > self.history.last_seq:
            return None
        return self.history.rules(product, seq)

    def compare(self, engine: Engine) -> None:
        """Hold what there is against PostgreSQL.

        What PostgreSQL has published is read first: by then the log must hold it.
        """
        last_seq = _last_published(engine)
        self.advance()
        for fault in _stored_faults(engine, self._digests, last_seq):
            self._differ(fault)

    def _differ(self, what: str, offset: int | None = None) -> None:
        if offset is None:
            self._findings.differ(Difference(store="control", what=what))
            return
        self._findings.differ(
            Difference(
                store="control",
                what=what,
                partition=0,
                first_offset=offset,
                next_offset=offset + 1,
                topic=CONTROL_TOPIC,
            )
        )


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


def _stored_faults(engine: Engine, digests: list[bytes], last_seq: int) -> Iterator[str]:
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
        elif published and seq <= last_seq:
            yield f"seq {seq} ({kind}): PostgreSQL says published, weir.control does not hold it"
    yield from (
        f"seq {missing}: weir.control holds it, PostgreSQL does not"
        for missing in range(expected, len(digests) + 1)
    )


def _last_published(engine: Engine) -> int:
    query = select(func.max(ControlEventRow.seq)).where(ControlEventRow.published_at.is_not(None))
    with engine.connect() as connection:
        return connection.execute(query).scalar_one() or 0


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
