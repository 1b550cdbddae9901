"""Subscriptions: each transition named, timed, by whom, with reason; routers told in order."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select

from broker.avro.codec import decode_event
from broker.control import subscriptions
from broker.control.outbox import to_ms
from broker.domain.events import (
    ProductPublished,
    SubscriptionActivated,
    SubscriptionExpired,
    SubscriptionReplanned,
    SubscriptionResumed,
    SubscriptionRevoked,
    SubscriptionSuspended,
)
from broker.domain.policy import Policy
from broker.store.control import ControlEventRow
from broker.store.ledger import AppliedSegment

REQUEST = {"id": "grid/wind", "product": "acme/wind", "plan": "acme/basic"}
WHY = {"reason": "because"}


def _events(world: Any) -> list[Any]:
    with world.sessions() as session:
        rows = session.scalars(select(ControlEventRow).order_by(ControlEventRow.seq)).all()
    return [decode_event(row.canonical) for row in rows]


def test_a_whole_life(world: Any, trade: Any) -> None:
    """request, approve, activate, suspend, resume, revoke: state, history and events agree."""
    path = "/subscriptions/grid/wind"
    assert world.done("POST", "/subscriptions", trade.buyer, REQUEST)["state"] == "requested"
    approved = world.done("POST", f"{path}/approve", trade.seller, {"reason": "welcome"})
    assert approved["state"] == "activating"
    world.confirm("grid/wind")
    active = world.done("GET", path, trade.buyer)
    assert (active["state"], active["period_length_ms"]) == ("active", 60_000)
    world.pass_time(hours=1)
    assert world.done("POST", f"{path}/suspend", trade.seller, WHY)["state"] == "suspended"
    assert world.done("POST", f"{path}/resume", trade.seller, {})["state"] == "active"
    assert world.done("POST", f"{path}/revoke", trade.buyer, WHY)["state"] == "revoked"

    history = world.done("GET", f"{path}/history", trade.seller)["items"]
    assert [(one["transition"], one["state"], one["seq"]) for one in history] == [
        ("request", "requested", None),
        ("approve", "activating", None),
        ("activate", "active", 2),
        ("suspend", "suspended", 3),
        ("resume", "active", 4),
        ("revoke", "revoked", 5),
    ]
    assert history[1]["reason"] == "welcome"
    assert history[0]["by"].startswith("token ")
    assert history[2]["by"] == "system"
    assert history[3]["at"] > history[2]["at"]

    events = _events(world)
    assert [event.seq for event in events] == [1, 2, 3, 4, 5]
    assert [type(event.event) for event in events] == [
        ProductPublished,
        SubscriptionActivated,
        SubscriptionSuspended,
        SubscriptionResumed,
        SubscriptionRevoked,
    ]
    policy = Policy()
    for event in events:
        policy = policy.apply(event)
    assert policy.products["acme/wind"].active() == ()


def test_changes_stand_one_after_the_other(world: Any, trade: Any) -> None:
    """Changes at one moment, or by a clock that is behind, rise by a millisecond each."""
    world.active("grid/wind", "acme/wind", "acme/basic", trade.buyer, trade.seller)
    world.done("POST", "/subscriptions/grid/wind/suspend", trade.seller, WHY)
    world.pass_time(seconds=-5)
    world.done("POST", "/subscriptions/grid/wind/resume", trade.seller, {})
    history = world.done("GET", "/subscriptions/grid/wind/history", trade.seller)["items"]
    at = [datetime.fromisoformat(one["at"]) for one in history]
    assert {(b - a) / timedelta(milliseconds=1) for a, b in pairwise(at)} == {1.0}
    told = {one["seq"]: to_ms(when) for one, when in zip(history, at, strict=True) if one["seq"]}
    assert {event.seq: event.at_ms for event in _events(world) if event.seq in told} == told


@pytest.mark.parametrize("act", ["suspend", "resume", "revoke", "expire"])
def test_acts_out_of_place(world: Any, trade: Any, act: str) -> None:
    """What is only requested can be neither suspended nor resumed nor ended."""
    world.done("POST", "/subscriptions", trade.buyer, REQUEST)
    answer = world.post(f"/subscriptions/grid/wind/{act}", world.operator, WHY)
    assert answer.status_code == 409


def test_what_ends_needs_a_reason(world: Any, trade: Any) -> None:
    """Whoever takes something away says why."""
    world.active("grid/wind", "acme/wind", "acme/basic", trade.buyer, trade.seller)
    answer = world.post("/subscriptions/grid/wind/revoke", trade.seller, {})
    assert (answer.status_code, answer.json()["field"]) == (422, "reason")


def test_a_rejected_request(world: Any, trade: Any) -> None:
    """A rejected request has ended; routers never hear of it; its name stays taken."""
    world.done("POST", "/subscriptions", trade.buyer, REQUEST)
    rejected = world.done("POST", "/subscriptions/grid/wind/reject", trade.seller, WHY)
    assert rejected["state"] == "rejected"
    assert len(_events(world)) == 1
    assert world.post("/subscriptions", trade.buyer, REQUEST).status_code == 409
    assert world.get("/subscriptions/grid/wind/cutover", trade.buyer).status_code == 409


def test_revoked_before_it_was_active(world: Any, trade: Any) -> None:
    """What ends before its topic is confirmed was never known to routers."""
    world.done("POST", "/subscriptions", trade.buyer, REQUEST)
    world.done("POST", "/subscriptions/grid/wind/approve", trade.seller, {})
    world.done("POST", "/subscriptions/grid/wind/revoke", trade.seller, WHY)
    assert len(_events(world)) == 1


def test_the_sellers_decisions(world: Any, trade: Any) -> None:
    """A buyer cannot approve its own request, nor end a term as the operator."""
    world.done("POST", "/subscriptions", trade.buyer, REQUEST)
    for act in ("approve", "reject", "suspend", "resume", "expire"):
        answer = world.post(f"/subscriptions/grid/wind/{act}", trade.buyer, WHY)
        assert answer.status_code == 403, act


def test_automatic_approval(world: Any, trade: Any) -> None:
    """A plan with automatic approval takes every request at once, and says so in the history."""
    world.plan("acme/trial", "acme/wind", trade.seller, approval="automatic")
    made = world.done("POST", "/subscriptions", trade.buyer, REQUEST | {"plan": "acme/trial"})
    assert made["state"] == "activating"
    history = world.done("GET", "/subscriptions/grid/wind/history", trade.buyer)["items"]
    assert [(one["transition"], one["by"]) for one in history][1] == ("approve", "system")


@pytest.mark.parametrize(
    "change",
    [
        {"product": "acme/none"},
        {"plan": "acme/none"},
        {"plan_version": 2},
        {"id": "acme/wind"},  # another's name
    ],
)
def test_a_request_for_what_is_not_there(world: Any, trade: Any, change: Any) -> None:
    """What is not on sale, or not one's own, is absent."""
    answer = world.post("/subscriptions", trade.buyer, REQUEST | change)
    assert answer.status_code == 404


def test_a_product_of_ones_own(world: Any, trade: Any) -> None:
    """A seller does not subscribe to its own product."""
    answer = world.post("/subscriptions", trade.seller, REQUEST | {"id": "acme/own"})
    assert (answer.status_code, answer.json()["field"]) == (422, "product")


def test_a_term_runs_out(world: Any, trade: Any) -> None:
    """A subscription with a term expires when it is over, by the system."""
    world.done("POST", "/subscriptions", trade.buyer, REQUEST | {"term_s": 3600})
    world.done("POST", "/subscriptions/grid/wind/approve", trade.seller, {})
    world.confirm("grid/wind")
    for hours, ended in ((0.5, []), (0.5, ["grid/wind"]), (0.5, [])):
        world.pass_time(hours=hours)
        with world.sessions.begin() as session:
            due = subscriptions.expire_due(session, now=world.now)
        assert [one.id for one in due] == ended
    assert isinstance(_events(world)[-1].event, SubscriptionExpired)


def test_replan(world: Any, trade: Any) -> None:
    """The buyer moves to a newer version that needs no approval; the pin says which."""
    world.active("grid/wind", "acme/wind", "acme/basic", trade.buyer, trade.seller)
    number = world.version("acme/basic", trade.seller, approval="automatic")
    assert world.done("GET", "/subscriptions/grid/wind", trade.buyer)["plan_version"] == 1
    path = "/subscriptions/grid/wind/replan"
    assert world.post(path, trade.seller, {"plan": "acme/basic"}).status_code == 403
    moved = world.done("POST", path, trade.buyer, {"plan": "acme/basic"})
    assert (moved["plan_version"], moved["state"]) == (number, "active")
    assert _events(world)[-1].event == SubscriptionReplanned(
        "grid/wind", "acme/wind", "acme/basic", number
    )


@pytest.mark.parametrize(
    "terms",
    [
        {"period": {"length_s": 120}, "approval": "automatic"},
        {
            "price": {"currency": "USD", "model": "flat", "amount": "1"},
            "approval": "automatic",
        },
        {"approval": "manual"},
    ],
)
def test_replan_to_what_does_not_fit(world: Any, trade: Any, terms: Any) -> None:
    """Other periods, another currency, or a seller's approval: a new subscription is needed."""
    world.active("grid/wind", "acme/wind", "acme/basic", trade.buyer, trade.seller)
    world.version("acme/basic", trade.seller, **terms)
    answer = world.post("/subscriptions/grid/wind/replan", trade.buyer, {"plan": "acme/basic"})
    assert answer.status_code == 409


def _segment(topic_id: str, partition: int, number: int, first_offset: int, seq: int) -> Any:
    return AppliedSegment(
        topic_id=topic_id,
        partition=partition,
        flow="live",
        number=number,
        product="acme/wind",
        first_offset=first_offset,
        next_offset=first_offset + 10,
        seq=seq,
        quarter_ms=0,
        billing_first_ms=0,
        watermark_ms=0,
        digest=b"",
        canonical=b"",
    )


def test_cutover(world: Any, trade: Any) -> None:
    """The cutover is the first offset of the first segment under the revocation, by partition."""
    world.active("grid/wind", "acme/wind", "acme/basic", trade.buyer, trade.seller)
    world.done("POST", "/subscriptions/grid/wind/revoke", trade.seller, WHY)
    topic_id = world.done("GET", "/products/acme/wind", trade.seller)["topic_id"]
    path = "/subscriptions/grid/wind/cutover"
    assert world.done("GET", path, trade.buyer)["offsets"] == {"0": None, "1": None}
    with world.sessions.begin() as session:
        session.add_all(
            [
                _segment(topic_id, 0, 1, 0, 2),
                _segment(topic_id, 0, 2, 10, 3),
                _segment(topic_id, 0, 3, 20, 3),
                _segment("00000000-0000-4000-8000-000000000000", 1, 1, 7, 3),
            ]
        )
    found = world.done("GET", path, trade.buyer)
    assert (found["offsets"], found["complete"]) == ({"0": 10, "1": None}, False)
    with world.sessions.begin() as session:
        session.add(_segment(topic_id, 1, 1, 0, 9))
    found = world.done("GET", path, trade.buyer)
    assert (found["offsets"], found["complete"]) == ({"0": 10, "1": 0}, True)
    assert (found["transition"], found["seq"]) == ("revoke", 3)
