"""The control log, or its events in PostgreSQL, are tampered with."""

from broker.avro.codec import encode_event
from broker.domain import events as ev

from .conftest import PRODUCT, Exchange
from .tampering import BUYER, differences


def test_control_event_changed_in_postgresql(routed: Exchange) -> None:
    """A control event whose bytes in PostgreSQL are not those of weir.control."""
    routed.sql("UPDATE control_events SET canonical = :c WHERE seq = 4", c=b"x")
    (one,) = differences(routed)
    assert one.store == "control"
    assert one.what.startswith("seq 4 (SubscriptionActivated): PostgreSQL's bytes differ")


def test_control_event_deleted_in_postgresql(routed: Exchange) -> None:
    """A control event that PostgreSQL has lost."""
    routed.sql("DELETE FROM control_events WHERE seq = 4")
    (one,) = differences(routed)
    assert one.what == "seq 4: weir.control holds it, PostgreSQL does not"


def test_control_event_repeated(routed: Exchange) -> None:
    """A byte-identical repeat is what an idempotent relay may write: no difference."""
    event = ev.ControlEvent(routed.seq + 1, routed.clock.ms, ev.PeriodClosing(PRODUCT, 1))
    routed.publish(event.event)
    routed.send("weir.control", 0, [encode_event(event)])
    routed.route()
    assert routed.recount().agrees


def test_control_event_contradicted(routed: Exchange) -> None:
    """Another event under a seq that is taken."""
    event = ev.ControlEvent(3, routed.clock.ms, ev.SubscriptionRevoked(BUYER, PRODUCT))
    routed.send("weir.control", 0, [encode_event(event)])
    (one,) = differences(routed)
    assert one.what == "seq 3 (SubscriptionRevoked) stands here again with another content"
    assert one.topic == "weir.control"


def test_control_event_past_a_hole(routed: Exchange) -> None:
    """An event that leaves numbers out is named, and is not in force."""
    event = ev.ControlEvent(99, routed.clock.ms, ev.SubscriptionRevoked(BUYER, PRODUCT))
    routed.send("weir.control", 0, [encode_event(event)])
    (one,) = differences(routed)
    assert one.what.endswith("a hole, no reader passes it")
