"""Retiring a product: nobody is left who pays for it, and nobody learns of it by chance."""

import threading
import time
from typing import Any

import pytest
from sqlalchemy import text

from broker.control import retirement
from broker.domain.actor import OPERATOR

REQUEST = {"id": "grid/wind", "product": "acme/wind", "plan": "acme/basic"}
WHY = {"reason": "because"}
WAIT_S = 20.0


def _retire(world: Any, trade: Any) -> Any:
    return world.post("/products/acme/wind/retire", trade.seller)


@pytest.mark.parametrize("state", ["activating", "active", "suspended"])
def test_running_subscriptions_are_named(world: Any, trade: Any, state: str) -> None:
    """A product with running subscriptions is not retired; the problem names them."""
    world.done("POST", "/subscriptions", trade.buyer, REQUEST)
    world.done("POST", "/subscriptions/grid/wind/approve", trade.seller, {})
    if state != "activating":
        world.confirm("grid/wind")
    if state == "suspended":
        world.done("POST", "/subscriptions/grid/wind/suspend", trade.seller, WHY)

    answer = _retire(world, trade)

    assert answer.status_code == 409
    assert "grid/wind" in answer.json()["detail"]
    assert "revoke" in answer.json()["detail"]
    assert world.done("GET", "/products/acme/wind", trade.seller)["state"] == "published"
    assert world.done("GET", "/subscriptions/grid/wind", trade.buyer)["state"] == state


def test_many_are_counted(world: Any, trade: Any) -> None:
    """The first ten are named, the others counted."""
    world.plan("acme/trial", "acme/wind", trade.seller, approval="automatic")
    for number in range(10, 22):
        one = {"id": f"grid/w{number}", "plan": "acme/trial"}
        world.done("POST", "/subscriptions", trade.buyer, REQUEST | one)

    detail = _retire(world, trade).json()["detail"]

    assert "grid/w10" in detail
    assert "grid/w19 and 2 more" in detail


def test_after_the_last_is_revoked(world: Any, trade: Any) -> None:
    """Revoked subscriptions do not hold it up."""
    world.active("grid/wind", "acme/wind", "acme/basic", trade.buyer, trade.seller)
    world.done("POST", "/subscriptions/grid/wind/revoke", trade.seller, WHY)

    assert _retire(world, trade).json()["state"] == "retired"
    assert world.done("GET", "/subscriptions/grid/wind", trade.buyer)["state"] == "revoked"


def test_open_requests_are_rejected(world: Any, trade: Any) -> None:
    """A request that nobody could approve any more is rejected, and says why."""
    world.done("POST", "/subscriptions", trade.buyer, REQUEST)

    assert _retire(world, trade).json()["state"] == "retired"

    assert world.done("GET", "/subscriptions/grid/wind", trade.buyer)["state"] == "rejected"
    last = world.done("GET", "/subscriptions/grid/wind/history", trade.buyer)["items"][-1]
    assert (last["by"], last["reason"]) == ("system", "acme/wind is retired")


@pytest.mark.parametrize("act", ["approve", "request"])
def test_whoever_comes_at_the_same_time_waits(world: Any, trade: Any, act: str) -> None:
    """An approval or request that meets a retirement waits for it, and is refused after it."""
    world.done("POST", "/subscriptions", trade.buyer, REQUEST)
    path, asks, body = {
        "approve": ("/subscriptions/grid/wind/approve", trade.seller, {}),
        "request": ("/subscriptions", trade.buyer, REQUEST | {"id": "grid/late"}),
    }[act]
    answers: list[Any] = []
    late = threading.Thread(target=lambda: answers.append(world.post(path, asks, body)))
    with world.sessions.begin() as session:
        retirement.retire(session, "acme/wind", by=OPERATOR, now=world.now, if_revision=None)
        late.start()
        _wait_for_a_waiter(world)
    late.join(WAIT_S)

    assert answers[0].status_code == {"approve": 409, "request": 404}[act]
    found = world.done("GET", "/subscriptions", trade.buyer)["items"]
    assert [one["state"] for one in found] == ["rejected"]


def _wait_for_a_waiter(world: Any) -> None:
    query = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + WAIT_S
    with world.sessions() as session:
        while not session.scalar(query):
            session.rollback()
            assert time.monotonic() < deadline, "nobody waits for the product's row"


def test_a_topic_that_is_gone_ends_its_subscriptions(world: Any, trade: Any) -> None:
    """They expire with the product's topic; what was only asked for is rejected."""
    world.active("grid/wind", "acme/wind", "acme/basic", trade.buyer, trade.seller)
    world.done("POST", "/subscriptions", trade.buyer, REQUEST | {"id": "grid/asked"})

    with world.sessions.begin() as session:
        retirement.end(session, "acme/wind", now=world.now)

    assert world.done("GET", "/subscriptions/grid/wind", trade.buyer)["state"] == "expired"
    assert world.done("GET", "/subscriptions/grid/asked", trade.buyer)["state"] == "rejected"
    assert _retire(world, trade).json()["state"] == "retired"
