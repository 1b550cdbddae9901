"""Stored: the ledger's tables in PostgreSQL, read forward a page at a time."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Engine, and_, func, select, true, tuple_

from broker.store.ledger import AppliedSegment, Chain, Usage

_STRETCH_ROWS = 50_000
_PAGE_ROWS = 1_000
_POLL_S = 0.1


class UsageFields(NamedTuple):
    """One usage row without its key."""

    first_offset: int
    next_offset: int
    quarter_ms: int
    billing_first_ms: int
    seq: int
    records: int
    billed_bytes: int


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """One row of `segments` with its rows of `usage`, by subscription."""

    number: int
    product: str
    first_offset: int
    next_offset: int
    seq: int
    quarter_ms: int
    billing_first_ms: int
    watermark_ms: int
    digest: bytes
    canonical: bytes
    usage: Mapping[str, UsageFields]


@dataclass(frozen=True, slots=True)
class Coverage:
    """One row of `chains`."""

    number: int
    digest: bytes
    next_offset: int
    seq: int
    watermark_ms: int
    hole: str | None


@dataclass(slots=True)
class Patience:
    """How much waiting for the ledger is left, in all."""

    left_s: float
    sleep: Callable[[float], None] = time.sleep

    def wait(self) -> bool:
        """Wait a moment; False where none is left."""
        if self.left_s <= 0:
            return False
        self.sleep(_POLL_S)
        self.left_s -= _POLL_S
        return True


class StoredChain:
    """The stored segments of one (topic id, partition, flow), by rising number.

    Args:
        engine: the exchange's database.
        key: topic id, partition, flow.
        patience: how long to wait for a ledger that has not caught up.
    """

    def __init__(
        self,
        engine: Engine,
        key: tuple[str, int, str],
        *,
        patience: Patience,
    ) -> None:
        self._engine = engine
        self._key = key
        self._patience = patience
        self._page: dict[int, StoredSegment] = {}
        self._next_number = 1
        self._last_at_start = self._last_number()

    @property
    def partition(self) -> int:
        """The source partition."""
        return self._key[1]

    def at(self, number: int) -> StoredSegment | None:
        """The segment of this number; numbers asked for must not fall."""
        if number not in self._page and number >= self._next_number:
            self._load(number)
        if number not in self._page and self._awaited(number):
            self._load(number)
        return self._page.get(number)

    def misnumbered(self) -> list[int]:
        """Numbers below 1, the first of a chain: no segment bears one."""
        table = AppliedSegment.__table__.c
        topic_id, partition, flow = self._key
        query = select(table.number).where(
            table.topic_id == topic_id,
            table.partition == partition,
            table.flow == flow,
            table.number < 1,
        )
        with self._engine.connect() as connection:
            return list(connection.scalars(query.order_by(table.number).limit(_PAGE_ROWS)))

    def canonical_beyond(self, number: int) -> Iterator[tuple[int, bytes]]:
        """Number and bytes of those after `number` that were there at the start, in order."""
        while number < self._last_at_start:
            self._load(number + 1)
            for stored in list(self._page.values()):
                if stored.number <= self._last_at_start:
                    yield stored.number, stored.canonical
            number = max(self._page, default=self._last_at_start)

    def digest_of(self, number: int) -> bytes | None:
        """Digest of a segment read before."""
        table = AppliedSegment.__table__.c
        topic_id, partition, flow = self._key
        query = select(table.digest).where(
            table.topic_id == topic_id,
            table.partition == partition,
            table.flow == flow,
            table.number == number,
        )
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one_or_none()

    def coverage(self) -> Coverage | None:
        """The chain's row; None where the ledger has never seen it."""
        topic_id, partition, flow = self._key
        query = select(
            Chain.number, Chain.digest, Chain.next_offset, Chain.seq, Chain.watermark_ms, Chain.hole
        ).where(Chain.topic_id == topic_id, Chain.partition == partition, Chain.flow == flow)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Coverage(*row)

    def _last_number(self) -> int:
        table = AppliedSegment.__table__.c
        topic_id, partition, flow = self._key
        query = select(func.max(table.number)).where(
            table.topic_id == topic_id, table.partition == partition, table.flow == flow
        )
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one() or 0

    def _awaited(self, number: int) -> bool:
        """Whether the ledger has come to this number, after waiting for it if need be."""
        while True:
            coverage = self.coverage()
            if coverage is not None and coverage.number >= number:
                return True
            if (coverage is not None and coverage.hole) or not self._patience.wait():
                return False

    def _load(self, number: int) -> None:
        topic_id, partition, flow = self._key
        table = AppliedSegment.__table__.c
        columns = [table[name] for name in StoredSegment.__dataclass_fields__ if name != "usage"]
        query = (
            select(*columns)
            .where(table.topic_id == topic_id, table.partition == partition, table.flow == flow)
            .where(table.number >= number)
            .order_by(table.number)
            .limit(_PAGE_ROWS)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
            last = rows[-1]["number"] if rows else number
            usage_table = Usage.__table__.c
            usage = connection.execute(
                select(
                    usage_table.number,
                    usage_table.subscription,
                    *(usage_table[name] for name in UsageFields._fields),
                ).where(
                    usage_table.topic_id == topic_id,
                    usage_table.partition == partition,
                    usage_table.flow == flow,
                    usage_table.number.between(number, last),
                )
            ).all()
        by_number: dict[int, dict[str, UsageFields]] = {}
        for row in usage:
            by_number.setdefault(row[0], {})[row[1]] = UsageFields(*row[2:])
        self._page = {
            row["number"]: StoredSegment(**row, usage=by_number.get(row["number"], {}))
            for row in rows
        }
        self._next_number = last + 1


def stored_chains(engine: Engine) -> Iterator[tuple[str, int, str, str]]:
    """Topic id, partition, flow and product of every chain that the ledger has anything of."""
    query = select(Chain.topic_id, Chain.partition, Chain.flow, Chain.product)
    with engine.connect() as connection:
        found = {(row[0], row[1], row[2]): row[3] for row in connection.execute(query)}
        # Segments may lack their chain's row: from one chain's to the next, by the primary key.
        key = (AppliedSegment.topic_id, AppliedSegment.partition, AppliedSegment.flow)
        following = select(*key, AppliedSegment.product).order_by(*key).limit(1)
        row = connection.execute(following).one_or_none()
        while row is not None:
            place = (row[0], row[1], row[2])
            found.setdefault(place, row[3])
            row = connection.execute(following.where(tuple_(*key) > place)).one_or_none()
    yield from ((*place, product) for place, product in found.items())


class StrayUsage(NamedTuple):
    """A usage row of a segment that is not there."""

    subscription: str
    partition: int
    number: int
    first_offset: int
    next_offset: int
    records: int


def stray_usage(engine: Engine) -> Iterator[StrayUsage]:
    """Usage rows without a segment, at most a thousand: billed, and no chain tells of them.

    Asked for in stretches by the primary key: each question is bounded, however much usage is.
    """
    key = [Usage.__table__.c[column.name] for column in Usage.__table__.primary_key]
    there = (
        select(AppliedSegment.number)
        .where(
            AppliedSegment.topic_id == Usage.topic_id,
            AppliedSegment.partition == Usage.partition,
            AppliedSegment.flow == Usage.flow,
            AppliedSegment.number == Usage.number,
        )
        .exists()
    )
    fields = [getattr(Usage, name) for name in StrayUsage._fields]
    query, edges = select(*fields).where(~there), select(*key).order_by(*key)
    found, begin = 0, None
    with engine.connect() as connection:
        while found < _PAGE_ROWS:
            beyond = true() if begin is None else tuple_(*key) > begin
            edge = connection.execute(edges.where(beyond).offset(_STRETCH_ROWS - 1).limit(1))
            end = edge.one_or_none()
            within = beyond if end is None else and_(beyond, tuple_(*key) <= tuple(end))
            stretch = query.where(within).order_by(*key).limit(_PAGE_ROWS - found)
            for row in connection.execute(stretch):
                yield StrayUsage(*row)
                found += 1
            if end is None:
                return
            begin = tuple(end)
