"""Delivery topics past their retention go, once every partition has passed the end."""

from typing import Any

import pytest
from sqlalchemy import delete, event

from broker.control.provision_desired import desired
from broker.store.ledger import Chain

WHY = {"reason": "because"}
ELSEWHERE = "00000000-0000-4000-8000-000000000000"


def chain(topic_id: str, partition: int, seq: int) -> Chain:
    return Chain(
        topic_id=topic_id,
        partition=partition,
        flow="live",
        product="acme/wind",
        number=1,
        digest=b"",
        next_offset=0,
        seq=seq,
        watermark_ms=0,
        hole=None,
    )


def endings(world: Any) -> tuple[set[str], int]:
    """Topics that may go, and how many questions that took."""
    asked: list[str] = []

    def count(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.append(statement)

    with world.sessions() as session:
        engine = session.get_bind()
        event.listen(engine, "before_cursor_execute", count)
        try:
            found = desired(session, usage_partitions=1, now=world.now)
        finally:
            event.remove(engine, "before_cursor_execute", count)
    return {one.topic for one in found.endings}, len(asked)


@pytest.fixture
def ended(world: Any, trade: Any) -> Any:
    """Three revoked subscriptions past their retention; the product's topic id."""
    for name in ("grid/a", "grid/b", "grid/c"):
        world.active(name, "acme/wind", "acme/basic", trade.buyer, trade.seller)
        world.done("POST", f"/subscriptions/{name}/revoke", trade.seller, WHY)
    world.pass_time(days=400)
    with world.sessions.begin() as session:
        session.execute(delete(Chain))
    return world.done("GET", "/products/acme/wind", trade.seller)["topic_id"]


def test_a_topic_goes_when_every_partition_has_passed(world: Any, ended: str) -> None:
    """Each by its own revocation (events 3, 5, 7); a chain of another topic proves nothing."""
    assert endings(world)[0] == set()
    with world.sessions.begin() as session:
        session.add_all([chain(ended, 0, 7), chain(ELSEWHERE, 1, 7)])
    assert endings(world)[0] == set()
    with world.sessions.begin() as session:
        session.add(chain(ended, 1, 5))
    names = {f"delivery.grid.{name}" for name in "ab"}
    assert {topic.rpartition(".")[0] + topic[-2:] for topic in endings(world)[0]} == names
    with world.sessions.begin() as session:
        session.get_one(Chain, (ended, 1, "live")).seq = 7
    assert len(endings(world)[0]) == 3


def test_ended_subscriptions_cost_no_question_each(world: Any, trade: Any, ended: str) -> None:
    """However many ever ended, what Kafka should hold is found by the same few questions."""
    before = endings(world)[1]
    for name in ("grid/d", "grid/e"):
        world.active(name, "acme/wind", "acme/basic", trade.buyer, trade.seller)
        world.done("POST", f"/subscriptions/{name}/revoke", trade.seller, WHY)
    world.pass_time(days=400)
    with world.sessions.begin() as session:
        session.add_all([chain(ended, partition, 99) for partition in (0, 1)])
    assert (len(endings(world)[0]), endings(world)[1]) == (5, before)
