"""Transactions that stay open hold every reader up: which there are, and how one is ended.

    open in a partition ──┐
                          ├──▶ remedy ──▶ terminate, mark, or refuse
    what the coordinator ─┘
    knows

Where the coordinator still has the transaction, the coordinator ends it: the producer is fenced and
all partitions agree. Only a partition that the coordinator does not mean to end any more gets a
marker of its own, and never ABORT where another partition may hold COMMIT.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from broker.errors import ConflictError, NotFoundError
from broker.local.transactions_tool import Described, OpenAt, TransactionsTool

# Each costs one run of the tool (1 to 3 s).
DESCRIBED_MAX = 32
OFFSETS_MAX = 16
# Below it, a transaction that ends between two looks of the tool would pass for a hanging one.
_HANGING_MIN = 1
# Brokers allow no longer one by default (transaction.max.timeout.ms).
_LONGEST_TIMEOUT_S = 900.0
_OPEN = {"Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence"}


class Remedy(Enum):
    """What ends a transaction that is open in a partition."""

    TERMINATE = "terminate"  # the coordinator has it: it fences the producer and aborts everywhere
    MARK = "mark"  # the coordinator decided ABORT, or has no part of it: a marker in the partition
    COMMITTED = "committed"  # the decision is COMMIT: an abort would tear it apart
    UNKNOWN = "unknown"  # the coordinator has forgotten what it decided


@dataclass(frozen=True, kw_only=True)
class Place:
    """A partition that a transaction is open in; `start_offset` is None where it was not asked."""

    topic: str
    partition: int
    start_offset: int | None


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """An open transaction.

    Args:
        transactional_id: None where no coordinator knows its producer.
        state: the coordinator's word for it; `Hanging` where no coordinator means to end it.
        timeout_s: when the coordinator should have ended it; None where that is not known.
        age_s: since it began; for a hanging one since its last record's own timestamp.
        remedy: what `abort` would do with it.
    """

    transactional_id: str | None
    producer_id: int
    epoch: int
    state: str
    timeout_s: float | None
    age_s: float | None
    places: tuple[Place, ...]
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Aborted:
    """What `abort` did."""

    remedy: str
    transaction: Transaction


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the operator takes upon himself.

    Args:
        even_if_young: abort before the transaction's timeout has passed.
        no_commit_marker: he has looked, and no partition of it holds a COMMIT marker.
    """

    even_if_young: bool = False
    no_commit_marker: bool = False


def open_transactions(
    tool: TransactionsTool, broker_ids: Sequence[int], *, now_ms: int
) -> list[Transaction]:
    """All that are open, oldest first. Blocks: some seconds for each.

    At most `DESCRIBED_MAX` ids are looked at, and start offsets are asked for in `OFFSETS_MAX`
    partitions; the others have None.
    """
    left = OFFSETS_MAX
    found = []
    listed = [one for one in tool.listings() if one.state in _OPEN]
    for listing in listed[:DESCRIBED_MAX]:
        known = tool.describe(listing.transactional_id)
        if known is None or known.state not in _OPEN or known.producer_id != listing.producer_id:
            continue
        places = []
        for topic, partition in sorted(known.partitions):
            start = None
            if left > 0:
                left -= 1
                start = _start_in(tool, topic, partition, known.producer_id)
            places.append(Place(topic=topic, partition=partition, start_offset=start))
        remedy = Remedy.TERMINATE if known.state == "Ongoing" else _decided(known.state)
        found.append(_known(known, tuple(places), remedy, now_ms))
    hanging = {
        (one.topic, one.partition, one.start_offset): one
        for broker_id in broker_ids
        for one in tool.hanging(broker_id, older_than_min=_HANGING_MIN)
    }
    owners = _owners(tool, [one.producer_id for one in hanging.values()])
    found += [_hanging(one, owners.get(one.producer_id), now_ms) for one in hanging.values()]
    return sorted(found, key=lambda one: -(one.age_s or 0.0))


def open_in(
    tool: TransactionsTool, topic: str, partition: int, *, now_ms: int
) -> list[Transaction]:
    """Those that are open in one partition of a topic that exists, whatever their age."""
    opened = tool.open_in(topic, partition)
    owners = _owners(tool, [one.producer_id for one in opened])
    return [_hanging(one, owners.get(one.producer_id), now_ms) for one in opened]


def abort(
    tool: TransactionsTool,
    topic: str,
    partition: int,
    start_offset: int,
    *,
    told: Told,
    now_ms: int,
) -> Aborted:
    """End the transaction that is open at `start_offset`, as its coordinator's state allows.

    Raises:
        NotFoundError: none is open there.
        ConflictError: it was committed, or may have been, or is too young; says what to do.
    """
    where = f"{topic}/{partition} at offset {start_offset}"
    opened = _open_at(tool, topic, partition, start_offset)
    if opened is None:
        raise NotFoundError("open transaction", where)
    known = _owners(tool, [opened.producer_id]).get(opened.producer_id)
    found = _hanging(opened, known, now_ms)
    remedy = Remedy(found.remedy)
    if remedy is Remedy.COMMITTED:
        raise ConflictError(f"{where}: {_committed(known)}; not aborted")
    if remedy is Remedy.UNKNOWN and not told.no_commit_marker:
        raise ConflictError(
            f"{where}: no coordinator knows how it was decided; look whether a partition of "
            "it holds a COMMIT marker (docs/operator.md), and say --no-commit-marker if none does"
        )
    timeout_s = _LONGEST_TIMEOUT_S if found.timeout_s is None else found.timeout_s
    if not told.even_if_young and (found.age_s is None or found.age_s < timeout_s):
        raise ConflictError(
            f"{where}: is {_seconds(found.age_s)} old, its timeout is {timeout_s:.0f} s; its "
            "producer may live and its coordinator may still end it; wait, or say --even-if-young"
        )
    if remedy is Remedy.TERMINATE and known is not None:
        tool.terminate(known.transactional_id)
    elif opened == _open_at(tool, topic, partition, start_offset):
        # Had it only been ending while we looked, its marker would be there by now.
        tool.abort(topic, partition, start_offset)
    else:
        raise ConflictError(f"{where}: has ended or gone on while it was looked at; list again")
    return Aborted(remedy=remedy.value, transaction=found)


def _committed(known: Described | None) -> str:
    state = None if known is None else known.state
    decided = f"its coordinator decided COMMIT ({state}), other partitions may hold that marker"
    if state == "PrepareCommit":
        return (
            f"{decided}. Restart the broker that coordinates it: it writes those that are missing"
        )
    return (
        f"{decided}. It counts as ended, so a restart writes none: this partition has lost the end "
        "of its log; restore it from a replica or a backup that has the marker"
    )


def remedy_of(opened: OpenAt, known: Described | None) -> Remedy:
    """What may end it, from what its producer's coordinator says (None: nothing)."""
    if known is None or known.producer_id != opened.producer_id:
        return Remedy.UNKNOWN
    # Ending a transaction may raise the epoch by one (KIP-890).
    same = known.epoch == opened.epoch or (
        known.state != "Ongoing" and known.epoch == opened.epoch + 1
    )
    if not same:
        return Remedy.UNKNOWN
    if known.state == "Ongoing":
        holds = (opened.topic, opened.partition) in known.partitions
        return Remedy.TERMINATE if holds else Remedy.UNKNOWN
    return _decided(known.state)


def _decided(state: str) -> Remedy:
    if state in {"PrepareCommit", "CompleteCommit"}:
        return Remedy.COMMITTED
    if state in {"PrepareAbort", "CompleteAbort", "PrepareEpochFence"}:
        return Remedy.MARK
    return Remedy.UNKNOWN


def _owners(tool: TransactionsTool, producer_ids: Sequence[int]) -> dict[int, Described]:
    wanted = set(producer_ids)
    if not wanted:
        return {}
    listed = [one for one in tool.listings() if one.producer_id in wanted][:DESCRIBED_MAX]
    known = [tool.describe(one.transactional_id) for one in listed]
    return {one.producer_id: one for one in known if one and one.producer_id in wanted}


def _open_at(
    tool: TransactionsTool, topic: str, partition: int, start_offset: int
) -> OpenAt | None:
    opened = tool.open_in(topic, partition)
    return next((one for one in opened if one.start_offset == start_offset), None)


def _start_in(tool: TransactionsTool, topic: str, partition: int, producer_id: int) -> int | None:
    opened = tool.open_in(topic, partition)
    return next((one.start_offset for one in opened if one.producer_id == producer_id), None)


def _known(known: Described, places: tuple[Place, ...], remedy: Remedy, now_ms: int) -> Transaction:
    return Transaction(
        transactional_id=known.transactional_id,
        producer_id=known.producer_id,
        epoch=known.epoch,
        state=known.state,
        timeout_s=known.timeout_ms / 1_000,
        age_s=None if known.started_ms is None else max(0, now_ms - known.started_ms) / 1_000,
        places=places,
        remedy=remedy.value,
    )


def _hanging(opened: OpenAt, known: Described | None, now_ms: int) -> Transaction:
    place = Place(topic=opened.topic, partition=opened.partition, start_offset=opened.start_offset)
    remedy = remedy_of(opened, known)
    if known is not None and (opened.topic, opened.partition) in known.partitions:
        return _known(known, (place,), remedy, now_ms)
    return Transaction(
        transactional_id=known.transactional_id if known else None,
        producer_id=opened.producer_id,
        epoch=opened.epoch,
        state="Hanging",
        timeout_s=known.timeout_ms / 1_000 if known else None,
        age_s=max(0, now_ms - opened.last_ms) / 1_000,
        places=(place,),
        remedy=remedy.value,
    )


def _seconds(age_s: float | None) -> str:
    return "of unknown age, not" if age_s is None else f"{age_s:.0f} s"
