"""Commit: make one batch set visible. These steps, in this order, nowhere else.

1. flush deliveries, quarantine copies and segments, bounded; a `send` that raised aborts
2. learn the last segment's own offset in `weir.usage` from its delivery report (the only report
   asked for: a failed record taints the transaction and the commit refuses it)
3. send source offsets to the transaction, with the group metadata taken when the batch was polled;
   each offset's metadata string carries the checkpoint
4. commit the transaction
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from broker.domain.names import USAGE_TOPIC
from broker.domain.segment import usage_key, usage_partition
from broker.flow.batch import Metered
from broker.flow.chain import Chain, UsagePlace
from broker.flow.checkpoint import to_metadata
from broker.flow.settings import LaneSettings
from broker.log.ports import Committed, GroupMetadata, Producer, Receipt, TopicPartition


def commit(
    metered: Sequence[Metered],
    chains: Mapping[TopicPartition, Chain],
    group: GroupMetadata,
    producer: Producer,
    *,
    usage_partitions: int,
    now_ms: int,
    settings: LaneSettings,
) -> dict[TopicPartition, Chain]:
    """Commit the open transaction; the chains as they stand after it.

    Args:
        metered: in chain order within each partition.
        chains: as they stood before, of at least these partitions.
        group: the metadata taken when the batch was polled, never a fresh one: a worker that was
            evicted and has rejoined would commit its old batch a second time.
        producer: with the transaction open.
        usage_partitions: how many `weir.usage` has.
        now_ms: when the segments are written, for the keep-alive of idle partitions.
        settings: deadlines of each step.

    Raises:
        LogAbortableError, TopicUnwritableError: abort, seek back, try again.
        FencedError, LogTimeoutError: the outcome is unknown or another worker owns the partitions:
            rebuild the clients and recover from the checkpoint.
    """
    after: dict[TopicPartition, Chain] = {}
    receipts: dict[TopicPartition, tuple[int, Receipt]] = {}
    for one in metered:
        source = one.batch.partition
        place = usage_partition(one.segment.topic_id, source.partition, usage_partitions)
        receipt = producer.send_one(
            USAGE_TOPIC,
            place,
            key=usage_key(one.segment.topic_id, source.partition),
            value=one.canonical,
            timeout_s=settings.send_timeout_s,
        )
        after[source] = after.get(source, chains[source]).after(one.segment, one.digest)
        receipts[source] = (place, receipt)

    # 1. flush
    producer.flush(timeout_s=settings.flush_timeout_s)

    # 2. the last segment's own offset
    for source, (place, receipt) in receipts.items():
        where = UsagePlace(place, receipt.offset, now_ms)
        after[source] = replace(after[source], place=where)

    # 3. source offsets with their checkpoints
    offsets = {
        source: Committed(chain.next_offset, to_metadata(chain)) for source, chain in after.items()
    }
    producer.send_offsets(offsets, group, timeout_s=settings.offsets_timeout_s)

    # 4. commit
    producer.commit(timeout_s=settings.commit_timeout_s)
    return after
