"""Check: what came last of a product, valid and refused, as its seller would look for it.

    product topic ──tail, as far as it is covered──▶ last valid
    quarantine ─────tail──────────────────────────▶ last refused, and why

A record is valid if a router has passed it and did not put it into quarantine. Nothing is judged
here a second time.
"""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.control import products
from broker.domain.actor import Actor
from broker.domain.product import Product
from broker.domain.reasons import EXPLANATIONS, Reason
from broker.domain.segment import LIVE
from broker.log.ports import Fetched, Headers, Log, Reader, TopicPartition
from broker.store.ledger import Chain

TAIL_RECORDS = 200
# In quarantine each record may bring a transaction's marker, and aborted ones take places too.
_QUARANTINE_TAIL = 5 * TAIL_RECORDS
_TIMEOUT_S = 5.0
_KEY_LENGTH_MAX = 100
_HEADER_BYTES = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRecord:
    """One record of a product.

    Args:
        partition: of the product's topic.
        offset: there.
        at: the broker's append time.
        key: as text, shortened; None where it has none.
        value_bytes: length; None for a tombstone, and for what was too large to keep.
        schema_id: in its Avro header; None where there is no such header.
        reason: why it was refused.
        explanation: the reason in words, and what to do.
    """

    partition: int
    offset: int
    at: datetime
    key: str | None
    value_bytes: int | None
    schema_id: int | None
    reason: str | None = None
    explanation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductCheck:
    """What came last. `note`: what a seller should know beside it."""

    product: str
    checked_at: datetime
    last_valid: SeenRecord | None
    last_refused: SeenRecord | None
    note: str


def check(session: Session, log: Log, product_id: str, *, by: Actor, now: datetime) -> ProductCheck:
    """Look at the end of every partition. Takes milliseconds a partition.

    Raises:
        NotFoundError: no such product, or not `by`'s own.
        LogError: Kafka does not answer.
    """
    product = products.get(session, product_id, by=by)
    if product.topic_id is None or product.ended_at is not None:
        note = f"it is {product.state} and has no topic" + (
            "; its topic was removed" if product.ended_at else " yet; publish it"
        )
        return _nothing(product, now, note)
    covered = _covered(session, product.topic_id)
    with (
        closing(log.reader(committed=True)) as reader,
        closing(log.reader(committed=False)) as ends,
    ):
        return _look(reader, ends, product, covered, now)


def _look(
    reader: Reader, ends: Reader, product: Product, covered: dict[int, int], now: datetime
) -> ProductCheck:
    valid: list[SeenRecord] = []
    refused: list[SeenRecord] = []
    waiting = 0
    held: list[int] = []
    for number in range(product.published_partitions or 0):
        in_quarantine = _refused(reader, TopicPartition(product.quarantine_topic, number))
        refused += in_quarantine
        source = TopicPartition(product.topic, number)
        # Asked for first: what came between the two questions would look held.
        end = ends.offsets(source, timeout_s=_TIMEOUT_S).last_stable
        offsets = reader.offsets(source, timeout_s=_TIMEOUT_S)
        if end > offsets.last_stable:
            held.append(number)
        reached = min(covered.get(number, 0), offsets.last_stable)
        waiting += _count(reader, source, first=max(reached, offsets.start))
        bad = {one.offset for one in in_quarantine}
        seen = _tail(reader, source, end=reached, length=TAIL_RECORDS)
        valid += [one for one in _records(seen) if one.offset not in bad]
    last_valid, last_refused = _latest(valid), _latest(refused)
    return ProductCheck(
        product=product.id,
        checked_at=now,
        last_valid=last_valid,
        last_refused=last_refused,
        note=_note(last_valid, last_refused, waiting, held),
    )


def _note(
    valid: SeenRecord | None, refused: SeenRecord | None, waiting: int, held: list[int]
) -> str:
    said = []
    if held:
        said.append(
            f"a producer's transaction is open in partition {', '.join(map(str, held))}: what "
            "stands behind its first record comes when it ends, or runs into its time-out"
        )
    if valid is None and refused is None and not waiting and not held:
        said.append("nothing has arrived: check the producer's address, credentials and topic")
    elif valid is None and (refused is not None or waiting):
        said.append(f"none is valid of the last {TAIL_RECORDS} of each partition")
    if waiting:
        said.append(f"{waiting} or more are not accounted for yet; ask again in a second")
    return "; ".join(said)


def _covered(session: Session, topic_id: str) -> dict[int, int]:
    rows = session.execute(
        select(Chain.partition, Chain.next_offset).where(
            Chain.topic_id == topic_id, Chain.flow == LIVE
        )
    )
    return {row.partition: row.next_offset for row in rows}


def _count(reader: Reader, place: TopicPartition, *, first: int) -> int:
    """How many records stand from `first` on, counted to a bound.

    By reading: the ends of transactions and what was aborted have offsets too, but are no records.
    """
    fetched = reader.read(place, first, records_max=TAIL_RECORDS, timeout_s=_TIMEOUT_S)
    return len(fetched.records)


def _tail(reader: Reader, place: TopicPartition, *, end: int, length: int) -> Fetched | None:
    """The last records before `end`; None where there are none."""
    first = max(reader.offsets(place, timeout_s=_TIMEOUT_S).start, end - length)
    if first >= end:
        return None
    fetched = reader.read(place, first, records_max=length, timeout_s=_TIMEOUT_S)
    kept = [index for index, offset in enumerate(fetched.records.offsets) if offset < end]
    return replace(fetched, records=fetched.records.take(kept))


def _records(fetched: Fetched | None) -> list[SeenRecord]:
    if fetched is None:
        return []
    records = fetched.records
    return [
        SeenRecord(
            partition=fetched.partition.partition,
            offset=records.offsets[index],
            at=_EPOCH + timedelta(milliseconds=records.timestamps_ms[index]),
            key=_text(records.keys[index]),
            value_bytes=None if (value := records.values[index]) is None else len(value),
            schema_id=_schema_id(value),
        )
        for index in range(len(records))
    ]


def _refused(reader: Reader, place: TopicPartition) -> list[SeenRecord]:
    """Those in quarantine, as they stood in the product's topic."""
    end = reader.offsets(place, timeout_s=_TIMEOUT_S).last_stable
    fetched = _tail(reader, place, end=end, length=_QUARANTINE_TAIL)
    if fetched is None:
        return []
    found = []
    for seen, headers in zip(_records(fetched), fetched.records.headers, strict=True):
        reason, source = _header(headers, "weir-reason"), _header(headers, "weir-source")
        if reason is None or source is None:
            # Not put there by a router: the topic's ACLs allow that to the exchange alone.
            continue
        _, partition, offset = source.rsplit("/", 2)
        words = EXPLANATIONS[Reason(reason)] if reason in set(Reason) else None
        found.append(
            replace(
                seen,
                partition=int(partition),
                offset=int(offset),
                reason=reason,
                explanation=words,
            )
        )
    return found


def _header(headers: Headers | None, name: str) -> str | None:
    # The router adds its own behind the producer's: the last of a name is the router's.
    for key, value in reversed(headers or ()):
        if key == name and value is not None:
            return value.decode()
    return None


def _latest(records: Iterable[SeenRecord]) -> SeenRecord | None:
    return max(records, key=lambda one: (one.at, one.offset), default=None)


def _text(key: bytes | None) -> str | None:
    return None if key is None else key.decode(errors="backslashreplace")[:_KEY_LENGTH_MAX]


def _schema_id(value: bytes | None) -> int | None:
    if value is None or len(value) < _HEADER_BYTES or value[0] != 0:
        return None
    return int.from_bytes(value[1:_HEADER_BYTES], "big")


def _nothing(product: Product, now: datetime, note: str) -> ProductCheck:
    return ProductCheck(
        product=product.id, checked_at=now, last_valid=None, last_refused=None, note=note
    )
