"""What the API shows of invoices, payouts and closes, as frozen values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an invoice; decimals as text."""

    description: str
    quantity: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What a buyer owes a seller for one period; amounts are decimals in the major unit."""

    id: str
    number: str | None
    state: str
    seller: str
    buyer: str
    product: str
    subscription: str
    plan: str
    plan_version: int
    period_first_ms: int
    period_end_ms: int
    through_ms: int
    final: bool
    records: int
    billed_bytes: int
    currency: str
    lines: tuple[Line, ...]
    net: str
    tax: str
    total: str
    created_at: datetime
    finalised_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """What an invoice was rated from; `document` is for `weir rate`, `days` are those of its usage.

    `before`: the invoice that `already billed` refers to. Without an active day the document's
    price has "0" for what is prorated; see docs/billing.md.
    """

    invoice: str
    number: str | None
    activated_at_ms: int
    days: tuple[str, ...]
    active_days: int
    before: str | None
    document: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """What a seller is owed in one currency."""

    seller: str
    currency: str
    amount: str
    invoices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorFee:
    """Hundredths of a percent of the net sum; `changed_at` and `changed_by` are None at first."""

    basis_points: int
    changed_at: datetime | None
    changed_by: str | None
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """A product's billing time, closed up to `end_ms`."""

    product: str
    end_ms: int
    seq: int
    finalise: bool
    interim: bool
    requested_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A partition that has not proven the end yet, and why."""

    partition: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A close and what it still waits for."""

    close: Close
    complete: bool
    missing: tuple[Missing, ...]
