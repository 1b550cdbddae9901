"""Report: what the recount found, as a frozen value.

recount ──▶ Report ──▶ to_json(), to_table()
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

RANGES_MAX = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Two stores that do not agree.

    `store`: control, chain, source, delivery, quarantine, ledger, billing or journal: where to
    look. Offsets are those of the source partition, or where `topic` is set, of that topic. What
    is billed has a stretch of billing time, `period_ms`, instead.
    """

    store: str
    what: str
    product: str | None = None
    subscription: str | None = None
    partition: int | None = None
    first_offset: int | None = None
    next_offset: int | None = None
    topic: str | None = None
    period_ms: tuple[int, int] | None = None

    def __str__(self) -> str:
        where = [str(name) for name in (self.product, self.subscription) if name]
        if self.partition is not None:
            where.append(f"partition {self.partition}")
        if self.first_offset is not None:
            of = f" of {self.topic}" if self.topic else ""
            where.append(f"offsets [{self.first_offset}, {self.next_offset}){of}")
        return (
            f"{self.store}: {', '.join(where)}: {self.what}"
            if where
            else (f"{self.store}: {self.what}")
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Source offsets of which something is to be known that is no difference."""

    product: str
    partition: int
    subscription: str | None
    first_offset: int
    next_offset: int
    why: str
    records: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Unbilled:
    """A billing period that is over and that no close has reached: no difference, but late.

    Billing time `[first_ms, end_ms)`; `amount`, in `currency`, is the total of the bill that
    is still to be made.
    """

    product: str
    subscription: str
    plan: str
    first_ms: int
    end_ms: int
    records: int
    amount: str
    currency: str

    def __str__(self) -> str:
        first, end = (
            datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
            for at_ms in (self.first_ms, self.end_ms)
        )
        return (
            f"{self.product}, {self.subscription}, billing time [{first}, {end}): "
            f"{self.records:,} records, {self.amount} {self.currency} under {self.plan}; "
            "it is over, and no close has reached it"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductCount:
    """What was read of one product's source topic. `refused`: records by reason."""

    product: str
    source_records: int
    valid_records: int
    refused: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """One invoice of a subscription, as PostgreSQL holds it."""

    invoice: str
    total_minor: int
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SubscriptionCount:
    """Four counts of one subscription, each from its own place.

    entitled: from source and control log; delivered: from the delivery topic; metered: from the
    segments; billed: from the usage rows in PostgreSQL. `cutover`: by partition, the first offset
    that its revocation, expiry or suspension kept from it; null while it is active, or unproven.

    What is chain only is counted apart: metered where the source is gone (`unsourced`), where the
    delivered records are (`lost`).
    """

    subscription: str
    product: str
    plan: str
    entitled_records: int
    entitled_bytes: int
    delivered_records: int
    delivered_bytes: int
    metered_records: int
    metered_bytes: int
    billed_records: int
    billed_bytes: int
    unsourced_records: int = 0
    unsourced_bytes: int = 0
    lost_records: int = 0
    lost_bytes: int = 0
    invoices: tuple[Amount, ...] = ()
    cutover: Mapping[int, int] | None = None

    @property
    def adds_up(self) -> bool:
        """Whether the four counts are one, to the record and the byte, but for what is chain only.

        Nothing else may set them apart: what was undeliverable is in none of them, and billed
        counts usage, which is there before an open period is invoiced.
        """
        records = {
            self.entitled_records + self.unsourced_records,
            self.delivered_records + self.lost_records,
            self.metered_records,
            self.billed_records,
        }
        size_bytes = {
            self.entitled_bytes + self.unsourced_bytes,
            self.delivered_bytes + self.lost_bytes,
            self.metered_bytes,
            self.billed_bytes,
        }
        return len(records) == len(size_bytes) == 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The recount's result. `differences_total` counts those past the bound of the list too."""

    products: tuple[ProductCount, ...]
    subscriptions: tuple[SubscriptionCount, ...]
    segments: int
    invoices: int
    differences: tuple[Difference, ...]
    differences_total: int
    undeliverable: tuple[Range, ...]
    chain_only: tuple[Range, ...]
    gaps: tuple[Range, ...]
    unbilled: tuple[Unbilled, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing differs. What is chain only was not compared, and says so.

        That no difference was found is not enough: the counts must add up by themselves.
        """
        return self.differences_total == 0 and not self.unexplained

    @property
    def unexplained(self) -> tuple[str, ...]:
        """Subscriptions whose counts differ by more than the ranges listed as chain only."""
        listed = {(one.product, one.subscription) for one in self.chain_only}
        cut = len(self.chain_only) == RANGES_MAX
        return tuple(
            one.subscription
            for one in self.subscriptions
            if not one.adds_up
            or (one.unsourced_records and not cut and (one.product, None) not in listed)
            or (one.lost_records and not cut and (one.product, one.subscription) not in listed)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"agrees": self.agrees, **asdict(self), "unexplained": self.unexplained}

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(self.to_dict())

    def to_table(self) -> str:
        """Text for a terminal: a row a subscription, then what differs."""
        from broker.verify.table import table

        return table(self)
