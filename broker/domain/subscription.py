"""Subscription: one organisation's right to one product under one plan version.

    requested ─approve▶ activating ─activate▶ active ─suspend▶ suspended ─resume▶ active
    requested ─reject▶ rejected
    activating, active or suspended ─revoke▶ revoked, ─expire▶ expired

`activating` is approved and waiting for its delivery topic; only `active` is delivered to.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from broker.domain.lifecycle import check_act
from broker.domain.period import FixedLength, Period

State = Literal["requested", "activating", "active", "suspended", "revoked", "expired", "rejected"]
Act = Literal[
    "request",
    "approve",
    "activate",
    "reject",
    "suspend",
    "resume",
    "replan",
    "revoke",
    "expire",
]

ENDED: frozenset[State] = frozenset({"revoked", "expired", "rejected"})
KNOWN_TO_ROUTERS: frozenset[State] = frozenset({"active", "suspended"})

_FROM: dict[Act, frozenset[State]] = {
    "approve": frozenset({"requested"}),
    "reject": frozenset({"requested"}),
    "activate": frozenset({"activating"}),
    "suspend": frozenset({"active"}),
    "resume": frozenset({"suspended"}),
    "replan": frozenset({"active", "suspended"}),
    "revoke": frozenset({"activating", "active", "suspended"}),
    "expire": frozenset({"activating", "active", "suspended"}),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One right. Each act returns its successor and is refused where it is out of place.

    Units: `period_anchor_ms` is the start of the first period of fixed length, ms since 1970 UTC;
    both period fields are None for calendar months and before activation.
    """

    id: str
    organisation: str
    product: str
    plan: str
    plan_version: int
    delivery_topic: str
    state: State
    requested_at: datetime
    requested_by: str
    expires_at: datetime | None = None
    activated_at: datetime | None = None
    ended_at: datetime | None = None
    period_anchor_ms: int | None = None
    period_length_ms: int | None = None
    revision: int = 1

    def approve(self) -> "Subscription":
        """The seller agrees; delivery waits for the topic."""
        self._check("approve")
        return self._next("activating")

    def reject(self, *, now: datetime) -> "Subscription":
        """The seller declines."""
        self._check("reject")
        return replace(self._next("rejected"), ended_at=now)

    def activate(self, period: Period, *, now: datetime) -> "Subscription":
        """The delivery topic is confirmed; periods of a fixed length begin now."""
        self._check("activate")
        active = replace(self._next("active"), activated_at=now)
        if not isinstance(period, FixedLength):
            return active
        anchor_ms = (now - _EPOCH) // timedelta(milliseconds=1)
        return replace(active, period_anchor_ms=anchor_ms, period_length_ms=period.longest_ms)

    def suspend(self) -> "Subscription":
        """Delivery stops until resumed."""
        self._check("suspend")
        return self._next("suspended")

    def resume(self) -> "Subscription":
        """Delivery goes on; what came in between is not delivered."""
        self._check("resume")
        return self._next("active")

    def replan(self, plan: str, plan_version: int) -> "Subscription":
        """Another plan version is pinned from here on."""
        self._check("replan")
        return replace(self._next(self.state), plan=plan, plan_version=plan_version)

    def revoke(self, *, now: datetime) -> "Subscription":
        """Seller, buyer or operator ends it for good."""
        self._check("revoke")
        return replace(self._next("revoked"), ended_at=now)

    def expire(self, *, now: datetime) -> "Subscription":
        """Its term is over."""
        self._check("expire")
        return replace(self._next("expired"), ended_at=now)

    def _check(self, act: Act) -> None:
        check_act("subscription", self.id, act, self.state, _FROM[act])

    def _next(self, state: State) -> "Subscription":
        return replace(self, state=state, revision=self.revision + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One line of a subscription's history.

    `seq`: of its control event, None where routers need not know. State and plan version are those
    after it.
    """

    number: int
    transition: Act
    state: State
    plan: str
    plan_version: int
    at: datetime
    by: str
    reason: str
    seq: int | None
