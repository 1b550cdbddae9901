"""Report: what the recount found, as a frozen value.

recount ──▶ Report ──▶ to_json(), to_table()
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


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
    invoices: tuple[Amount, ...] = ()
    cutover: Mapping[int, int] | None = None


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

    @property
    def agrees(self) -> bool:
        """Whether nothing differs. What is chain only was not compared, and says so."""
        return self.differences_total == 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"agrees": self.agrees, **asdict(self)}

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(self.to_dict())

    def to_table(self) -> str:
        """Text for a terminal: a row a subscription, then what differs."""
        from broker.verify.table import table

        return table(self)
