"""What was billed, from the invoices in PostgreSQL."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select

from broker.config import Connections
from broker.store.base import engine
from broker.store.billing import InvoiceRow


@dataclass(frozen=True, kw_only=True)
class Billed:
    """Of finalised invoices of one subscription. `amount` in the major unit, tax included."""

    records: int
    size_bytes: int
    amount: Decimal
    currency: str


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
