"""Recover: where a newly assigned partition stands, from its checkpoint alone.

1. the committed offset's metadata names the last segment: read that one back, by its digest
2. none, or not ours: the last segment of that (topic id, partition) in `weir.usage`
3. none there either: the beginning of the topic

Reads uncommitted for step 1, since another lane's open transaction must not hold it up; the digest
proves that it is the segment that was committed.
"""

from dataclasses import dataclass, replace
from hashlib import sha256
from time import monotonic, sleep

import structlog

from broker.alarms import Alarm, clear_alarm, raise_alarm
from broker.avro.codec import decode_segment
from broker.domain.names import USAGE_TOPIC
from broker.domain.segment import LIVE, Segment, usage_key, usage_partition
from broker.errors import (
    ChainBrokenError,
    InvalidFieldError,
    LogTimeoutError,
    OffsetOutOfRangeError,
)
from broker.flow.chain import Chain, UsagePlace
from broker.flow.checkpoint import from_metadata
from broker.log.ports import Committed, Reader, Records, TopicPartition

_SCAN_RECORDS = 5_000
_LOOK_AGAIN_S = 0.05

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Scan:
    next_offset: int
    last: dict[bytes, Chain]


class Recovery:
    """Finds chains. Keeps what it has scanned of `weir.usage`, so that it scans it once.

    `timeout_s` bounds each question, `wait_s` the wait for transactions that are open there.
    """

    def __init__(
        self,
        committed: Reader,
        uncommitted: Reader,
        *,
        usage_partitions: int,
        timeout_s: float,
        wait_s: float,
    ) -> None:
        self._committed = committed
        self._uncommitted = uncommitted
        self._usage_partitions = usage_partitions
        self._timeout_s = timeout_s
        self._wait_s = wait_s
        self._scans: dict[int, _Scan] = {}

    def chain(self, partition: TopicPartition, topic_id: str, committed: Committed | None) -> Chain:
        """The chain of one partition as last committed.

        Raises:
            ChainBrokenError: the checkpoint and the segment it names disagree.
            LogTimeoutError: Kafka did not answer in time, which says nothing of the chain.
        """
        stated = None if committed is None else from_metadata(committed.metadata, committed.offset)
        if stated is not None and stated.topic_id == topic_id:
            self._check(partition, stated)
            return stated
        key = usage_key(topic_id, partition.partition)
        place = usage_partition(topic_id, partition.partition, self._usage_partitions)
        found = self._scanned(place).last.get(key)
        return Chain(topic_id=topic_id, next_offset=0) if found is None else found

    def _check(self, partition: TopicPartition, stated: Chain) -> None:
        place = stated.place
        if place is None:
            raise ChainBrokenError(
                f"{partition.topic}/{partition.partition}: checkpoint of nothing"
            )
        usage = TopicPartition(USAGE_TOPIC, place.partition)
        where = (
            f"{partition.topic}/{partition.partition}: checkpoint at weir.usage/{place.partition}"
        )
        try:
            fetched = self._uncommitted.read(
                usage, place.offset, records_max=1, timeout_s=self._timeout_s
            )
        except OffsetOutOfRangeError as error:
            start = self._uncommitted.offsets(usage, timeout_s=self._timeout_s).start
            if place.offset < start:
                # Expired, or deleted by an admin. The checkpoint was committed with it; whether the
                # chain goes on as it ended, the ledger judges by the digests that it has stored.
                _log.warning("checkpoint's segment is deleted", where=f"{where}@{place.offset}")
                return
            raise ChainBrokenError(f"{where}@{place.offset} names what never was") from error
        if not fetched.records and not fetched.at_end and fetched.unreadable_at is None:
            raise LogTimeoutError(f"{where}@{place.offset}: no answer in {self._timeout_s} s")
        if not fetched.records or fetched.records.offsets[0] != place.offset:
            raise ChainBrokenError(f"{where}@{place.offset} names a segment that is not there")
        canonical = fetched.records.values[0] or b""
        if sha256(canonical).digest() != stated.digest:
            raise ChainBrokenError(f"{where}@{place.offset} names a segment of another digest")
        segment = decode_segment(canonical)
        if (segment.number, segment.next_offset, segment.seq, segment.watermark_ms) != (
            stated.number,
            stated.next_offset,
            stated.seq,
            stated.watermark_ms,
        ):
            raise ChainBrokenError(f"{where}@{place.offset} disagrees with its segment")

    def _scanned(self, usage_partition_: int) -> _Scan:
        """All committed segments up to the end as it is now, that of open transactions too.

        A segment behind another lane's open transaction is invisible until that ends. A chain taken
        for shorter than it is would be delivered a second time from there on.

        Raises:
            LogTimeoutError: they did not become readable in time.
        """
        scan = self._scans.setdefault(usage_partition_, _Scan(0, {}))
        usage = TopicPartition(USAGE_TOPIC, usage_partition_)
        log = self._uncommitted.offsets(usage, timeout_s=self._timeout_s)
        scan.next_offset = max(scan.next_offset, log.start)
        subject = f"{USAGE_TOPIC}/{usage_partition_}"
        give_up_s = monotonic() + self._wait_s
        while scan.next_offset < log.last_stable:
            fetched = self._committed.read(
                usage, scan.next_offset, records_max=_SCAN_RECORDS, timeout_s=self._timeout_s
            )
            for index in range(len(fetched.records)):
                _note(scan, usage_partition_, fetched.records, index)
            read_to = fetched.next_offset
            if fetched.unreadable_at is not None:
                read_to = fetched.unreadable_at + 1  # the ledger's alarm tells of it
            if read_to == scan.next_offset:
                if monotonic() >= give_up_s:
                    why = f"what stands from {read_to} on does not become readable"
                    raise_alarm(Alarm.HANGING_TRANSACTION, subject, why)
                    raise LogTimeoutError(f"{subject}: {why}")
                sleep(_LOOK_AGAIN_S)
            scan.next_offset = read_to
        clear_alarm(Alarm.HANGING_TRANSACTION, subject)
        return scan


def _note(scan: _Scan, usage_partition_: int, records: Records, index: int) -> None:
    value = records.values[index] or b""
    try:
        segment = decode_segment(value)
    except InvalidFieldError:
        return  # no segment of ours; the ledger's alarm tells of it
    if segment.flow != LIVE:
        return
    key = usage_key(segment.topic_id, segment.partition)
    known = scan.last.get(key)
    if known is not None and known.number >= segment.number:
        return  # a repeat, e.g. restored from a backup
    place = UsagePlace(usage_partition_, records.offsets[index], records.timestamps_ms[index])
    scan.last[key] = _chain(segment, sha256(value).digest(), place)


def _chain(segment: Segment, digest: bytes, place: UsagePlace) -> Chain:
    bare = Chain(topic_id=segment.topic_id, next_offset=segment.next_offset)
    return replace(bare.after(segment, digest), place=place)
