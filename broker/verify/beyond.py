"""Beyond: partitions that a topic has and its product does not.

No router reads or writes them. A delivery topic that somebody gave another partition is read by
its buyer all the same, so whatever stands there is named.
"""

from collections.abc import Iterable

from broker.verify.findings import Findings
from broker.verify.readers import Readers
from broker.verify.report import Difference
from broker.verify.rules import Settings, Subscription


def check_beyond(
    readers: Readers,
    settings: Settings,
    members: Iterable[Subscription],
    findings: Findings,
    *,
    exists: bool,
) -> None:
    """Name what stands in such partitions of one product's topics.

    Args:
        readers: opens them.
        settings: says how many partitions there should be.
        members: every subscription that it ever had.
        findings: are told.
        exists: whether the source topic is the product's own.
    """
    topics: dict[str, tuple[str, str | None]] = {
        member.delivery_topic: ("delivery", member.id) for member in members
    }
    topics[settings.quarantine_topic] = ("quarantine", None)
    if exists:
        topics[settings.topic] = ("source", None)
    for topic, (store, subscription) in topics.items():
        for partition in range(settings.partitions, readers.partitions(topic)):
            readers.restart()
            cursor = readers.cursor(topic, partition, beside=1)
            if cursor is None or cursor.end <= cursor.start:
                continue
            findings.differ(
                Difference(
                    store=store,
                    what=f"records in a partition of {topic} beyond the product's "
                    f"{settings.partitions}",
                    product=settings.product,
                    subscription=subscription,
                    partition=partition,
                    first_offset=cursor.start,
                    next_offset=cursor.end,
                    topic=topic,
                )
            )
