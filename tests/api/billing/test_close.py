"""Closing by proof: what is asked, what is still missing, what may not be asked."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from broker.avro.codec import decode_event
from broker.billing.close import closes, proof, request_close, unsettled
from broker.billing.ending import LAST_COMMIT_S, Drained, ledger_drained, never_drained
from broker.domain.events import PeriodClosing
from broker.errors import InvalidFieldError, NotFoundError
from broker.log.memory import MemoryLog
from broker.store.control import ControlEventRow, ProductRow
from broker.store.ledger import Chain, UsagePosition

PRODUCT = "windco/wind"
TOPIC_ID = "11111111-2222-3333-4444-555555555555"
END = "2026-02-01T00:00:00+01:00"
BEFORE = "2026-01-31T23:45:00+01:00"


def ms(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp()) * 1000


def missing(
    exchange: Any, *, after_s: float = 3600, drained: Drained = never_drained
) -> dict[int, str]:
    now = datetime.fromisoformat(END) + timedelta(seconds=after_s)
    with exchange.sessions() as session:
        found = proof(session, PRODUCT, ms(END), now=now, drained=drained)
        return {one.partition: one.why for one in found.missing}


def test_a_close_is_a_control_event(exchange: Any) -> None:
    """Asking for a close tells the routers its end; asking again tells them nothing new."""
    exchange.request(END)
    exchange.request(END)
    with exchange.sessions() as session:
        [row] = session.query(ControlEventRow).all()
        [close] = unsettled(session)
    assert decode_event(row.canonical).event == PeriodClosing(product=PRODUCT, end_ms=ms(END))
    assert (close.seq, close.end_ms) == (row.seq, ms(END))


def test_every_partition_must_prove_the_end(exchange: Any) -> None:
    """A partition is proven by a segment of the close's seq or later whose watermark is there."""
    exchange.deliver(END, partition=0)  # reached the end, but does not know of the close
    exchange.request(END)
    exchange.deliver(BEFORE, partition=1)  # knows of it, but has not reached the end
    assert "seq 0, the close is 1" in missing(exchange)[0]
    assert "billing time has reached 2026-01-31T22:45:00.000Z" in missing(exchange)[1]
    exchange.deliver(END, partition=0)
    assert list(missing(exchange)) == [1]
    exchange.deliver(END, partition=1)
    assert missing(exchange) == {}


def test_a_partition_without_a_segment_is_missing(exchange: Any) -> None:
    """No segment at all is no proof; nor is one of a partition added since."""
    exchange.request(END)
    assert list(missing(exchange)) == [0, 1]
    exchange.prove(END)
    with exchange.sessions.begin() as session:
        session.get_one(ProductRow, PRODUCT).partitions = 3
    assert list(missing(exchange)) == [2]


def test_a_hole_is_no_proof(exchange: Any) -> None:
    """A chain in which a segment is missing proves nothing, whatever came before."""
    exchange.request(END)
    exchange.prove(END)
    with exchange.sessions.begin() as session:
        session.get_one(Chain, (TOPIC_ID, 1, "live")).hole = "number 7 after 5"
    assert missing(exchange) == {1: "the ledger waits for a missing segment: number 7 after 5"}


def test_an_ended_topic_closes_at_its_coverage(exchange: Any) -> None:
    """A topic that is gone gets no further segment, once the ledger has all of weir.usage."""
    exchange.request(END)
    exchange.deliver(BEFORE, partition=0)
    with exchange.sessions.begin() as session:
        product = session.get_one(ProductRow, PRODUCT)
        product.ended_at = datetime.fromisoformat(END)
    assert missing(exchange, drained=lambda: True) == {}


def test_an_ended_topic_waits_for_late_segments(exchange: Any) -> None:
    """Right after its end a router may still commit, and the ledger may lag: nothing is final."""
    exchange.request(END)
    with exchange.sessions.begin() as session:
        product = session.get_one(ProductRow, PRODUCT)
        product.ended_at = datetime.fromisoformat(END)
    soon = missing(exchange, after_s=LAST_COMMIT_S - 1, drained=lambda: True)
    assert all("a moment longer" in why for why in soon.values())
    assert len(soon) == 2
    lagging = missing(exchange, after_s=LAST_COMMIT_S, drained=lambda: False)
    assert all("has not applied" in why for why in lagging.values())
    assert len(lagging) == 2


def test_drained_means_that_nothing_is_left_to_apply(exchange: Any) -> None:
    """A record of weir.usage that the ledger has not applied is found, whatever stands behind."""
    log = MemoryLog(now_ms=lambda: 1)
    usage = log.reader(committed=True)
    with exchange.sessions() as session:
        assert not ledger_drained(usage, session), "without weir.usage nothing is known"
    log.create_topic("weir.usage", 2)
    producer = log.producer(transactional_id="router")
    producer.init_transactions(timeout_s=1)
    producer.begin()
    producer.send_one("weir.usage", 1, key=None, value=b"segment", timeout_s=1)
    producer.flush(timeout_s=1)
    producer.commit(timeout_s=1)
    with exchange.sessions.begin() as session:
        assert not ledger_drained(usage, session)
        session.add(UsagePosition(partition=1, next_offset=1))
        session.flush()
        assert ledger_drained(usage, session)


def test_the_future_is_not_closed(exchange: Any) -> None:
    """An end after now is refused: an idle partition's watermark would run ahead of its records."""
    now = datetime.fromisoformat(END)
    with exchange.sessions.begin() as session, pytest.raises(InvalidFieldError, match="future"):
        request_close(session, PRODUCT, ms(END) + 1, by="test", now=now)


def test_only_what_is_published_is_closed(exchange: Any) -> None:
    """A product that does not exist, or has no topic yet, cannot be closed."""
    now = datetime.fromisoformat(END)
    with exchange.sessions() as session, pytest.raises(NotFoundError):
        request_close(session, "windco/solar", ms(END), by="test", now=now)
    with exchange.sessions() as session, pytest.raises(NotFoundError):
        proof(session, PRODUCT, ms(END), now=now)


def test_closes_are_listed(exchange: Any) -> None:
    """Closes come latest end first, those not billed earliest first; both page on."""
    ends = [
        (datetime.fromisoformat(END) + timedelta(hours=hours)).isoformat() for hours in range(3)
    ]
    for end in ends:
        exchange.request(end)
    with exchange.sessions() as session:
        waiting = unsettled(session, limit=2)
        waiting += unsettled(session, after=(waiting[-1].end_ms, PRODUCT))
        assert [one.end_ms for one in waiting] == [ms(end) for end in ends]
        first = closes(session, PRODUCT, limit=2)
        rest = closes(session, PRODUCT, before_ms=first[-1].end_ms)
    assert [one.end_ms for one in [*first, *rest]] == [ms(end) for end in reversed(ends)]
