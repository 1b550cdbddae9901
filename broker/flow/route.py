"""Route: entitled records to the delivery topics, refused ones to quarantine.

    enforce ──Enforced──▶ route ──Routed──▶ meter

Runs inside the transaction that the lane has begun. Decides nothing (`enforce` has decided) and
commits nothing (`commit` does), so what fails here leaves nothing that a buyer can see.
"""

from collections.abc import Callable
from hashlib import sha256

from broker.domain.reasons import Reason
from broker.errors import DeliveryUnwritableError, LogTimeoutError, TopicUnwritableError
from broker.flow.batch import Batch, Enforced, Refusal, Routed
from broker.flow.weigh import record_bytes
from broker.log.ports import Headers, Producer, Records


def route(enforced: Enforced, producer: Producer, *, left_s: Callable[[], float]) -> Routed:
    """Produce one batch to every topic it goes to. Blocks: call it off the event loop.

    Shapes: one batch of one source partition. Each delivery holds its records in offset order, as
    the buyer gets them; source partition p goes to delivery partition p.
    Units: record timestamps are append time in ms since 1970 UTC; `left_s` says how many seconds
    the batch set still has, and is asked before every topic.

    Returns:
        What was handed over, for `meter` to count. Handed over is not delivered: only the
        commit says so; it refuses a transaction in which a record failed.

    Raises:
        DeliveryUnwritableError: names a subscription whose topic cannot be written. The lane
            aborts, holds back that subscription alone and tries the batch again without it.
        TopicUnwritableError: the quarantine topic cannot be written.
        LogTimeoutError: the batch set was not queued in time. The lane rebuilds its clients, and
            takes less.
    """
    partition = enforced.batch.partition.partition

    def send(topic: str, records: Records) -> None:
        timeout_s = left_s()
        if timeout_s <= 0:
            raise LogTimeoutError(f"{topic}: the batch set was not queued in time")
        producer.send(topic, partition, records, timeout_s=timeout_s)

    for delivery in enforced.deliveries:
        topic = delivery.subscription.delivery_topic
        try:
            send(topic, delivery.records)
        except TopicUnwritableError as error:
            raise DeliveryUnwritableError(delivery.subscription.id, topic) from error
    if enforced.refusals:
        copies = _quarantined(enforced.batch, enforced.refusals)
        send(enforced.batch.product.quarantine_topic, copies)
    return Routed(enforced)


def _quarantined(batch: Batch, refusals: tuple[Refusal, ...]) -> Records:
    """The records as the producer sent them, with why they were refused and where they came from.

    `weir-source` is `<topic>/<partition>/<offset>`. A record that is too large is there by its
    length and SHA-256 alone: key and value are null, its own headers are dropped.
    """
    records = batch.records.take([refusal.index for refusal in refusals])
    keys, values, headers = list(records.keys), list(records.values), list(records.headers)
    for index, refusal in enumerate(refusals):
        source = f"{batch.partition.topic}/{batch.partition.partition}/{records.offsets[index]}"
        ours: list[tuple[str, bytes | None]] = [
            ("weir-reason", refusal.reason.encode()),
            ("weir-source", source.encode()),
        ]
        if refusal.reason is Reason.TOO_LARGE:
            ours += _measured(records, index)
            keys[index] = values[index] = headers[index] = None
        headers[index] = [*(headers[index] or ()), *ours]
    return Records(records.offsets, records.timestamps_ms, keys, values, headers)


def _measured(records: Records, index: int) -> Headers:
    digest = sha256(records.values[index] or b"").hexdigest()
    return [
        ("weir-length", str(record_bytes(records, index)).encode()),
        ("weir-sha256", digest.encode()),
    ]
