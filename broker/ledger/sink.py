"""Sink: one batch of segments into PostgreSQL, in one database transaction.

Locks the chains it touches, lets `coverage.settle` decide, writes segments, usage, chains and the
position in `weir.usage` together or not at all. Writing a batch again changes nothing, so a ledger
that was killed, or one that lost its partition without knowing, does no harm.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert

from broker.ledger.coverage import NOTHING, ChainKey, Coverage, Entry, Settlement, place, settle
from broker.store.ledger import AppliedSegment, Chain, Usage, UsagePosition

_STORED = text(
    "SELECT s.topic_id, s.partition, s.flow, s.number, s.digest FROM segments s JOIN "
    "unnest(CAST(:topic_ids AS text[]), CAST(:partitions AS int[]), CAST(:flows AS text[]), "
    "CAST(:numbers AS bigint[])) AS k(topic_id, partition, flow, number) "
    "USING (topic_id, partition, flow, number)"
)


class Sink:
    """The ledger's tables, as its source and its agent need them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def positions(self, partitions: Sequence[int]) -> dict[int, int]:
        """Where to read these partitions of `weir.usage` on from; 0 where nothing was read yet."""
        query = select(UsagePosition.partition, UsagePosition.next_offset).where(
            UsagePosition.partition.in_(partitions)
        )
        with self._engine.connect() as connection:
            found = dict(connection.execute(query).tuples().all())
        return {partition: found.get(partition, 0) for partition in partitions}

    def apply(
        self,
        partition: int,
        entries: Sequence[Entry],
        *,
        next_offset: int,
        held: Mapping[ChainKey, int],
    ) -> tuple[Settlement, int]:
        """Add the entries of one partition of `weir.usage`, which ended at `next_offset`.

        `held`: the chains that are stopped already, and from where each must be read again.

        Returns:
            What was decided, and the stored position: the first held offset, else `next_offset`,
            never before where it was.

        Raises:
            sqlalchemy.exc.DBAPIError: nothing was written, or the outcome is unknown; either way
                the same call may be made again.
        """
        with self._engine.begin() as connection:
            coverage = _lock_chains(connection, entries)
            stored = _stored_digests(connection, coverage, entries)
            settlement = settle(coverage, stored, entries)
            _add_segments(connection, settlement.applied)
            _save_chains(connection, coverage, settlement, entries)
            position = place({**settlement.held, **held}, next_offset)
            return settlement, _advance(connection, partition, position)


def _lock_chains(connection: Connection, entries: Sequence[Entry]) -> dict[ChainKey, Coverage]:
    if not entries:
        return {}
    products = {entry.chain: entry.segment.product for entry in entries}
    found = _select_chains(connection, products)
    missing = sorted(products.keys() - found.keys())
    if missing:
        rows = [_chain_row(key, products[key], NOTHING) for key in missing]
        connection.execute(insert(Chain).on_conflict_do_nothing(), rows)
        found |= _select_chains(connection, missing)
    return found


def _select_chains(connection: Connection, keys: Iterable[ChainKey]) -> dict[ChainKey, Coverage]:
    key = (Chain.topic_id, Chain.partition, Chain.flow)
    # In one order, so that two ledgers which overlap in a rebalance cannot lock each other out.
    query = (
        select(*key, *(Chain.__table__.c[name] for name in Coverage.__dataclass_fields__))
        .where(tuple_(*key).in_(list(keys)))
        .order_by(*key)
        .with_for_update()
    )
    return {ChainKey(*row[:3]): Coverage(*row[3:]) for row in connection.execute(query)}


def _stored_digests(
    connection: Connection, coverage: Mapping[ChainKey, Coverage], entries: Sequence[Entry]
) -> dict[tuple[ChainKey, int], bytes]:
    repeats = [entry for entry in entries if entry.segment.number <= coverage[entry.chain].number]
    if not repeats:
        return {}
    parameters = {
        "topic_ids": [entry.chain.topic_id for entry in repeats],
        "partitions": [entry.chain.partition for entry in repeats],
        "flows": [entry.chain.flow for entry in repeats],
        "numbers": [entry.segment.number for entry in repeats],
    }
    rows = connection.execute(_STORED, parameters)
    return {(ChainKey(*row[:3]), row[3]): row[4] for row in rows}


def _add_segments(connection: Connection, entries: Sequence[Entry]) -> None:
    if not entries:
        return
    connection.execute(insert(AppliedSegment), [_segment_row(entry) for entry in entries])
    usage = [row for entry in entries for row in _usage_rows(entry)]
    if usage:
        connection.execute(insert(Usage), usage)


def _save_chains(
    connection: Connection,
    before: Mapping[ChainKey, Coverage],
    settlement: Settlement,
    entries: Sequence[Entry],
) -> None:
    products = {entry.chain: entry.segment.product for entry in entries}
    rows = [
        _chain_row(key, products[key], after)
        for key, after in sorted(settlement.coverage.items())
        if after != before[key]
    ]
    if rows:
        upsert = insert(Chain)
        changes = {name: upsert.excluded[name] for name in Coverage.__dataclass_fields__}
        key = ["topic_id", "partition", "flow"]
        connection.execute(upsert.on_conflict_do_update(index_elements=key, set_=changes), rows)


def _advance(connection: Connection, partition: int, position: int) -> int:
    upsert = insert(UsagePosition).values(partition=partition, next_offset=position)
    further = func.greatest(UsagePosition.next_offset, upsert.excluded.next_offset)
    statement = upsert.on_conflict_do_update(
        index_elements=["partition"], set_={"next_offset": further}
    ).returning(UsagePosition.next_offset)
    return connection.execute(statement).scalar_one()


def _chain_row(key: ChainKey, product: str, coverage: Coverage) -> dict[str, Any]:
    return {**key._asdict(), "product": product, **asdict(coverage)}


def _segment_row(entry: Entry) -> dict[str, Any]:
    segment = entry.segment
    return {
        **entry.chain._asdict(),
        "number": segment.number,
        "product": segment.product,
        "first_offset": segment.first_offset,
        "next_offset": segment.next_offset,
        "seq": segment.seq,
        "quarter_ms": segment.quarter_ms,
        "billing_first_ms": segment.billing_first_ms,
        "watermark_ms": segment.watermark_ms,
        "digest": entry.digest,
        "canonical": entry.canonical,
    }


def _usage_rows(entry: Entry) -> Iterator[dict[str, Any]]:
    segment = entry.segment
    for delivery in segment.deliveries:
        yield {
            "subscription": delivery.subscription,
            **entry.chain._asdict(),
            "number": segment.number,
            "first_offset": segment.first_offset,
            "next_offset": segment.next_offset,
            "quarter_ms": segment.quarter_ms,
            "billing_first_ms": segment.billing_first_ms,
            "seq": segment.seq,
            "records": delivery.records,
            "billed_bytes": delivery.billed_bytes,
        }
