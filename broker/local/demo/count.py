"""Counts, each from where it is claimed: Kafka for what was delivered, PostgreSQL for bills."""

from dataclasses import dataclass
from decimal import Decimal

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from sqlalchemy import func, select

from broker.config import Connections
from broker.errors import OperatingError
from broker.store.base import engine
from broker.store.billing import InvoiceRow

_QUIET_TURNS_MAX = 150


@dataclass(frozen=True, kw_only=True)
class Billed:
    """Of finalised invoices of one subscription. `amount` in the major unit, tax included."""

    records: int
    size_bytes: int
    amount: Decimal
    currency: str


def delivered(connections: Connections, topic: str, partitions: int) -> int:
    """Records that a read_committed reader finds in a delivery topic.

    Raises:
        OperatingError: its end was not reached.
    """
    settings = connections.kafka.client() | {
        "group.id": "weir-demo-count",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.queue.backoff.ms": 5,
    }
    consumer = Consumer(settings)
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
    count, ended, quiet_turns = 0, set[int](), 0
    try:
        while len(ended) < partitions:
            messages = consumer.consume(25_000, 0.2)
            quiet_turns = 0 if messages else quiet_turns + 1
            if quiet_turns > _QUIET_TURNS_MAX:
                raise OperatingError(f"topic {topic}: its end was not reached")
            for message in messages:
                error = message.error()
                if error is None:
                    count += 1
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  the library's name for it
                    ended.add(message.partition())
                else:
                    raise OperatingError(f"topic {topic}: {error.str()}")
    finally:
        consumer.close()
    return count


def billed(connections: Connections) -> dict[str, Billed]:
    """By subscription, from the invoices in PostgreSQL."""
    row = InvoiceRow
    query = (
        select(
            row.subscription,
            func.sum(row.records),
            func.sum(row.billed_bytes),
            func.sum(row.total_minor),
            func.min(row.currency),
            func.min(row.minor_digits),
        )
        .where(row.state == "finalised")
        .group_by(row.subscription)
    )
    database = engine(connections.database_url)
    try:
        with database.connect() as connection:
            return {
                subscription: Billed(
                    records=int(records),
                    size_bytes=int(size_bytes),
                    amount=Decimal(total_minor).scaleb(-digits),
                    currency=currency,
                )
                for subscription, records, size_bytes, total_minor, currency, digits in (
                    connection.execute(query)
                )
            }
    finally:
        database.dispose()
