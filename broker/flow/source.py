"""Source: what was fetched, as one bounded batch set.

    poll ──Fetched──▶ source ──BatchSet──▶ enforce

Bounded in records, output records, output bytes, bytes to decode, and time. What is beyond the
bound waits here, and is dropped when the lane seeks back or the partition leaves.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from broker.alarms import Alarm, raise_alarm
from broker.domain.policy import Policy, ProductRule
from broker.errors import PoisonedBatchError
from broker.flow.batch import Batch
from broker.flow.chain import Chain
from broker.flow.partitions import Gap, Partitions, products_by_topic
from broker.flow.room import Room
from broker.flow.settings import LaneSettings
from broker.flow.weigh import billed_bytes
from broker.flow.window import cut
from broker.log.ports import EMPTY, Consumer, Fetched, GroupMetadata, TopicPartition


class Source:
    """Turns fetches into batches of the partitions that are routable."""

    def __init__(self, consumer: Consumer, partitions: Partitions, settings: LaneSettings) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._settings = settings
        self._waiting: list[Fetched] = []
        self._group: GroupMetadata | None = None

    def fetch(self, policy: Policy, *, share: float) -> tuple[list[Fetched], GroupMetadata]:
        """What waits, or else what a poll brings; of routable partitions alone.

        Args:
            policy: says how many deliveries a record may become.
            share: of the bounds, as `Pace` has it.

        Returns:
            What was fetched, and the group's metadata as of the poll that brought it: what waits
            keeps its own, see `commit`.
        """
        fetched, self._waiting = self._waiting, []
        if not fetched or self._group is None:
            fetched = self._consumer.poll(
                records_max=self._records_max(policy, share),
                timeout_s=self._settings.poll_timeout_s,
            )
            self._group = self._consumer.group_metadata()
        routable = set(self._partitions.routable())
        return [one for one in fetched if one.partition in routable], self._group

    def forget(self) -> None:
        """Drop what waits: reading goes on from the committed offsets."""
        self._waiting.clear()

    def batches(
        self, fetched: Iterable[Fetched], policy: Policy, *, now_ms: int, share: float
    ) -> list[Batch]:
        """Batches in chain order within each partition, within a share of the bounds."""
        batches: list[Batch] = []
        products = products_by_topic(policy)
        room = Room(self._settings, share)
        waiting: set[TopicPartition] = set()
        for one in fetched:
            if room.full or one.partition in waiting:
                self._waiting.append(one)
                continue
            product = products[one.partition.topic]
            if product.ended:
                continue
            kept, size_bytes, rest = room.take(self._fresh(one), product)
            if rest is not None:
                self._waiting.append(rest)
                waiting.add(one.partition)
            batches += self._of_partition(kept, product, size_bytes, now_ms=now_ms)
        return batches

    def idle(self, policy: Policy, busy: set[TopicPartition], *, now_ms: int) -> Iterator[Batch]:
        """Empty segments for partitions with nothing to route and something to prove.

        Idle means: the partition's end was reported at or past the last stable offset as asked
        for here, that is after the policy was read.
        """
        products = products_by_topic(policy)
        waiting = {one.partition for one in self._waiting}
        for tp in self._partitions.routable():
            product = products[tp.topic]
            chain = self._partitions.chains[tp]
            if product.ended or tp in busy or tp in waiting or tp in self._partitions.gaps:
                continue
            if not (_concerned(chain, product) or self._stale(chain, now_ms)):
                continue
            log = self._consumer.offsets(tp, timeout_s=self._settings.request_timeout_s)
            end = self._partitions.ends.get(tp, -1)
            if end >= log.last_stable and (end >= 0 or log.last_stable == 0):
                yield _empty(tp, product, chain)

    def _stale(self, chain: Chain, now_ms: int) -> bool:
        place = chain.place
        return place is not None and now_ms - place.at_ms > self._settings.keepalive_ms

    def _fresh(self, fetched: Fetched) -> Fetched:
        """Without records from before the chain's end: left over from before a seek."""
        records = fetched.records
        next_offset = self._partitions.chains[fetched.partition].next_offset
        if not records or records.offsets[0] >= next_offset:
            return fetched
        keep = [i for i, offset in enumerate(records.offsets) if offset >= next_offset]
        return replace(fetched, records=records.take(keep))

    def _records_max(self, policy: Policy, share: float) -> int:
        """No more than a few sets: while they are worked off, the group is not polled."""
        rules = products_by_topic(policy)
        topics = {tp.topic for tp in self._partitions.routable()} & rules.keys()
        fan_out = max((len(rules[topic].active()) for topic in topics), default=1)
        deliverable = int(self._settings.output_records_max * share) // max(1, fan_out)
        return min(self._settings.records_max, max(1, deliverable))

    def _of_partition(
        self, fetched: Fetched, product: ProductRule, size_bytes: int, *, now_ms: int
    ) -> Iterator[Batch]:
        tp = fetched.partition
        if self._ahead_of_clock(fetched, now_ms):
            return
        chain = self._partitions.chains[tp]
        self._check_follows(fetched, chain)
        first_offset = chain.next_offset
        gap = self._passed_gap(fetched)
        if gap is not None:
            yield _gap(tp, product, chain, gap)
            first_offset = gap.next_offset
        if fetched.at_end:
            self._partitions.ends[tp] = fetched.next_offset
        pieces = list(cut(fetched.records, chain.watermark_ms, product.fixed_periods()))
        for index, (records, billing_first_ms, watermark_ms) in enumerate(pieces):
            last = index == len(pieces) - 1
            next_offset = fetched.next_offset if last else records.offsets[-1] + 1
            yield Batch(
                partition=tp,
                product=product,
                kind="records",
                records=records,
                first_offset=first_offset,
                next_offset=next_offset,
                billing_first_ms=billing_first_ms,
                watermark_ms=watermark_ms,
                source_bytes=size_bytes if len(pieces) == 1 else billed_bytes(records),
            )
            first_offset = next_offset
        if fetched.unreadable_at is not None:
            self._skip(tp, fetched.unreadable_at)

    def _check_follows(self, fetched: Fetched, chain: Chain) -> None:
        """A segment covers all from the chain's end on: nothing in between may be unread.

        Raises:
            PoisonedBatchError: reading began further on, so a fetch was lost on the way.
        """
        tp = fetched.partition
        gap = self._partitions.gaps.get(tp)
        read = max(
            chain.next_offset, self._partitions.ends.get(tp, 0), gap.next_offset if gap else 0
        )
        if fetched.position > read:
            raise PoisonedBatchError(f"{tp}: read from {fetched.position} on, {read} follows on")

    def _ahead_of_clock(self, fetched: Fetched, now_ms: int) -> bool:
        highest = max(fetched.records.timestamps_ms, default=0)
        if highest <= now_ms + self._settings.clock_skew_max_ms:
            return False
        why = f"append time {highest} ms is more than 5 minutes ahead of this clock ({now_ms} ms)"
        until_ms = highest - self._settings.clock_skew_max_ms
        self._partitions.stop(fetched.partition, Alarm.APPEND_TIME_AHEAD, why, until_ms=until_ms)
        return True

    def _passed_gap(self, fetched: Fetched) -> Gap | None:
        """The gap that ends here: at the next readable record, or at the partition's end."""
        gap = self._partitions.gaps.get(fetched.partition)
        if gap is None or not (fetched.records or fetched.at_end):
            return None
        del self._partitions.gaps[fetched.partition]
        readable = fetched.records.offsets[0] if fetched.records else fetched.next_offset
        return replace(gap, next_offset=max(gap.next_offset, readable))

    def _skip(self, tp: TopicPartition, unreadable_at: int) -> None:
        why = f"the record at {unreadable_at} cannot be decompressed"
        raise_alarm(Alarm.GAP, f"{tp.topic}/{tp.partition}", why)
        self._partitions.gaps[tp] = Gap(unreadable_at + 1, "unreadable")
        self._consumer.seek(tp, unreadable_at + 1)


def recut(batch: Batch, product: ProductRule) -> Iterator[Batch]:
    """The batch under a newer policy, whose period ends it may straddle."""
    if batch.kind != "records":
        yield replace(batch, product=product)
        return
    pieces = list(cut(batch.records, batch.billing_first_ms, product.fixed_periods()))
    first_offset = batch.first_offset
    for index, (records, billing_first_ms, watermark_ms) in enumerate(pieces):
        last = index == len(pieces) - 1
        next_offset = batch.next_offset if last else records.offsets[-1] + 1
        yield replace(
            batch,
            product=product,
            records=records,
            first_offset=first_offset,
            next_offset=next_offset,
            billing_first_ms=billing_first_ms,
            watermark_ms=watermark_ms,
            source_bytes=batch.source_bytes if len(pieces) == 1 else billed_bytes(records),
        )
        first_offset = next_offset


def _concerned(chain: Chain, product: ProductRule) -> bool:
    return chain.seq < product.concerned_seq or chain.watermark_ms < product.closing_end_ms


def _empty(tp: TopicPartition, product: ProductRule, chain: Chain) -> Batch:
    watermark_ms = max(chain.watermark_ms, product.closing_end_ms)
    return Batch(
        partition=tp,
        product=product,
        kind="empty",
        records=EMPTY,
        first_offset=chain.next_offset,
        next_offset=chain.next_offset,
        billing_first_ms=watermark_ms,
        watermark_ms=watermark_ms,
        source_bytes=0,
    )


def _gap(tp: TopicPartition, product: ProductRule, chain: Chain, gap: Gap) -> Batch:
    return Batch(
        partition=tp,
        product=product,
        kind="gap",
        records=EMPTY,
        first_offset=chain.next_offset,
        next_offset=gap.next_offset,
        billing_first_ms=chain.watermark_ms,
        watermark_ms=chain.watermark_ms,
        source_bytes=0,
        gap_reason=gap.reason,
    )
