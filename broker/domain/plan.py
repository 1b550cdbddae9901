"""Plan: what a product costs and which terms go with it, in numbered versions.

    draft ─publish▶ published ─withdraw▶ withdrawn

A draft may be replaced; what is published never changes, it can only be withdrawn from new
subscriptions. A change of price is a new version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from broker.domain.lifecycle import check_act
from broker.domain.period import DAY_MS, Period

State = Literal["draft", "published", "withdrawn"]
Approval = Literal["manual", "automatic"]

DELIVERY_RETENTION_MIN_MS = 60 * 60 * 1000
DELIVERY_RETENTION_MAX_MS = 3650 * DAY_MS
DELIVERY_RETENTION_DEFAULT_MS = 7 * DAY_MS
VERSIONS_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The name under which versions stand."""

    id: str
    organisation: str
    product: str
    title: str
    created_at: datetime
    created_by: str
    revision: int = 1

    def describe(self, *, title: str) -> "Plan":
        """Change its title."""
        return replace(self, title=title, revision=self.revision + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one version says. `price` is JSON as docs/billing.md has it, already checked.

    `approval`: whether the seller looks at each request, or takes them all.
    """

    price: Mapping[str, Any]
    period: Period
    delivery_retention_ms: int
    approval: Approval
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanVersion:
    """One version of a plan."""

    plan: str
    number: int
    state: State
    terms: Terms
    created_at: datetime
    created_by: str
    published_at: datetime | None = None
    revision: int = 1

    @property
    def name(self) -> str:
        """How errors name it: `acme/basic version 2`."""
        return f"{self.plan} version {self.number}"

    def replace_terms(self, terms: Terms) -> "PlanVersion":
        """Write a draft anew."""
        check_act("plan", self.name, "replace", self.state, {"draft"})
        return replace(self, terms=terms, revision=self.revision + 1)

    def publish(self, *, now: datetime) -> "PlanVersion":
        """Offer it; from here on it is immutable."""
        check_act("plan", self.name, "publish", self.state, {"draft"})
        return replace(self, state="published", published_at=now, revision=self.revision + 1)

    def withdraw(self) -> "PlanVersion":
        """No new subscriptions; those that have it keep it."""
        check_act("plan", self.name, "withdraw", self.state, {"published"})
        return replace(self, state="withdrawn", revision=self.revision + 1)
