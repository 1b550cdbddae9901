"""Metered: what the ledger holds of one subscription, by calendar day. The only source of bills."""

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broker.billing.periods import day_of
from broker.store.ledger import Usage


@dataclass(frozen=True, kw_only=True)
class Metered:
    """Delivered records and billed bytes."""

    records: int = 0
    billed_bytes: int = 0

    def plus(self, other: "Metered") -> "Metered":
        """Both together."""
        return Metered(
            records=self.records + other.records,
            billed_bytes=self.billed_bytes + other.billed_bytes,
        )


def metered_by_day(
    session: Session, subscription: str, first_ms: int, end_ms: int, zone: ZoneInfo
) -> dict[date, Metered]:
    """Usage whose segments began in `[first_ms, end_ms)`, summed over partitions and flows.

    A segment counts where its first record stands in billing time. None straddles a quarter hour
    nor the end of a fixed period, so this is exact at every period's end; at another moment (a bill
    ahead of the end) it still counts each segment once.
    """
    rows = session.execute(
        select(Usage.quarter_ms, func.sum(Usage.records), func.sum(Usage.billed_bytes))
        .where(
            Usage.subscription == subscription,
            Usage.billing_first_ms >= first_ms,
            Usage.billing_first_ms < end_ms,
        )
        .group_by(Usage.quarter_ms)
        .order_by(Usage.quarter_ms)
    )
    days: dict[date, Metered] = {}
    for quarter_ms, records, billed_bytes in rows:
        day = day_of(quarter_ms, zone)
        more = Metered(records=int(records), billed_bytes=int(billed_bytes))
        days[day] = days.get(day, Metered()).plus(more)
    return days


def metered(session: Session, subscription: str, first_ms: int, end_ms: int) -> Metered:
    """The same usage in one sum."""
    records, billed_bytes = session.execute(
        select(
            func.coalesce(func.sum(Usage.records), 0),
            func.coalesce(func.sum(Usage.billed_bytes), 0),
        ).where(
            Usage.subscription == subscription,
            Usage.billing_first_ms >= first_ms,
            Usage.billing_first_ms < end_ms,
        )
    ).one()
    return Metered(records=int(records), billed_bytes=int(billed_bytes))


def first_usage_ms(session: Session, subscription: str, first_ms: int) -> int | None:
    """Billing time of the first usage at or after `first_ms`; None where there is none."""
    return session.scalars(
        select(func.min(Usage.billing_first_ms)).where(
            Usage.subscription == subscription, Usage.billing_first_ms >= first_ms
        )
    ).one()
