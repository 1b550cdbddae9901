"""The life of a subscription, as a pure value."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest

from broker.domain.period import CalendarMonth, FixedLength
from broker.domain.subscription import State, Subscription
from broker.errors import ConflictError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REQUESTED = Subscription(
    id="grid/wind",
    organisation="grid",
    product="acme/wind",
    plan="acme/basic",
    plan_version=1,
    delivery_topic="delivery.grid.wind",
    state="requested",
    requested_at=NOW,
    requested_by="token 1",
)

ACTS: dict[str, tuple[Callable[[Subscription], Subscription], set[str], str | None]] = {
    # act: how, from which states, to which (None: stays)
    "approve": (lambda one: one.approve(), {"requested"}, "activating"),
    "reject": (lambda one: one.reject(now=NOW), {"requested"}, "rejected"),
    "activate": (
        lambda one: one.activate(FixedLength(60), now=NOW),
        {"activating"},
        "active",
    ),
    "suspend": (lambda one: one.suspend(), {"active"}, "suspended"),
    "resume": (lambda one: one.resume(), {"suspended"}, "active"),
    "replan": (lambda one: one.replan("acme/other", 2), {"active", "suspended"}, None),
    "revoke": (
        lambda one: one.revoke(now=NOW),
        {"activating", "active", "suspended"},
        "revoked",
    ),
    "expire": (
        lambda one: one.expire(now=NOW),
        {"activating", "active", "suspended"},
        "expired",
    ),
}


@pytest.mark.parametrize("state", get_args(State))
@pytest.mark.parametrize("act", ACTS)
def test_every_act_in_every_state(act: str, state: State) -> None:
    """Each act leads where it should from the states it is for, and is refused from all others."""
    do, allowed, leads_to = ACTS[act]
    subscription = replace(REQUESTED, state=state)
    if state in allowed:
        after = do(subscription)
        assert after.state == (leads_to or state)
        assert after.revision == subscription.revision + 1
    else:
        with pytest.raises(ConflictError, match=f"this one is {state}"):
            do(subscription)


def test_periods_of_fixed_length_begin_at_activation() -> None:
    """The anchor is the moment of activation, in ms."""
    active = replace(REQUESTED, state="activating").activate(FixedLength(90), now=NOW)
    assert active.activated_at == NOW
    assert active.period_anchor_ms == int(NOW.timestamp()) * 1000
    assert active.period_length_ms == 90_000


def test_calendar_months_have_no_anchor() -> None:
    """Routers need know nothing of calendar months."""
    active = replace(REQUESTED, state="activating").activate(CalendarMonth("UTC"), now=NOW)
    assert (active.period_anchor_ms, active.period_length_ms) == (None, None)


def test_the_end_is_timed() -> None:
    """What ends knows when."""
    assert REQUESTED.reject(now=NOW).ended_at == NOW
    assert replace(REQUESTED, state="active").revoke(now=NOW).ended_at == NOW
