"""Periods that have ended are closed by themselves, and no other."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from sqlalchemy import text

from broker.billing.close import request_close
from broker.billing.due import AUTOMATIC, request_due
from broker.billing.settle import settle
from broker.store.billing import PeriodCloseRow

PRODUCT = "windco/wind"
UNIT = {"currency": "EUR", "model": "unit", "metric": "records", "unit_amount": "0.01"}
DAY = {"length_s": 86_400}


def ms(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp()) * 1000


def due(exchange: Any, at: str) -> list[int]:
    now = datetime.fromisoformat(at)
    return [close.end_ms for close in request_due(exchange.sessions, now=now)]


def test_a_month_is_closed_when_it_has_ended(exchange: Any) -> None:
    """Not before its end in the plan's zone; then once, by the exchange itself."""
    version = exchange.plan(UNIT)
    exchange.subscribe("meter", version, "2026-01-10T00:00:00+01:00")
    assert due(exchange, "2026-01-31T23:59:59+01:00") == []
    assert due(exchange, "2026-02-01T00:00:05+01:00") == [ms("2026-02-01T00:00:00+01:00")]
    assert due(exchange, "2026-02-01T00:00:15+01:00") == []
    with exchange.sessions() as session:
        [close] = session.query(PeriodCloseRow).all()
    assert (close.requested_by, close.interim, close.finalise) == (AUTOMATIC, False, True)


def test_the_months_that_were_missed_are_one_close(exchange: Any) -> None:
    """After a long standstill one close at the latest end proves, and bills, all before it."""
    version = exchange.plan(UNIT)
    name = exchange.subscribe("meter", version, "2026-01-10T00:00:00+01:00")
    exchange.deliver("2026-01-15T12:00:00+01:00", 5, to=name)
    exchange.deliver("2026-02-15T12:00:00+01:00", 7, to=name)
    end = "2026-03-01T00:00:00+01:00"
    assert due(exchange, "2026-03-10T00:00:00+01:00") == [ms(end)]
    exchange.prove(end)
    assert [invoice.records for invoice in exchange.settle(end)] == [5, 7]


def test_only_what_has_ended_is_billed(exchange: Any) -> None:
    """A neighbour whose period goes on gets no interim invoice, until somebody asks for it."""
    version = exchange.plan(UNIT, DAY)
    early = exchange.subscribe("early", version, "2026-01-10T00:00:00+00:00", length_s=86_400)
    late = exchange.subscribe("late", version, "2026-01-10T06:00:00+00:00", length_s=86_400)
    exchange.deliver("2026-01-10T12:00:00+00:00", 5, to=early)
    exchange.deliver("2026-01-10T12:00:00+00:00", 7, to=late)
    end = "2026-01-11T00:00:00+00:00"
    assert due(exchange, "2026-01-11T00:00:05+00:00") == [ms(end)]
    exchange.prove(end)
    [invoice] = exchange.settle(end)
    assert (invoice.subscription, invoice.records, invoice.final) == (early, 5, True)
    with exchange.sessions.begin() as session:
        now = datetime.fromisoformat("2026-01-11T01:00:00+00:00")
        request_close(session, PRODUCT, ms(end), by="test", now=now)
    exchange.prove(end)
    [interim] = exchange.settle(end)
    assert (interim.subscription, interim.records, interim.final) == (late, 7, False)


def test_a_subscription_that_ended_is_billed_at_its_periods_end(exchange: Any) -> None:
    """Revoked in mid-month: its final invoice comes with the month, and nothing after it."""
    version = exchange.plan(UNIT)
    name = exchange.subscribe("meter", version, "2026-01-10T00:00:00+01:00")
    exchange.deliver("2026-01-15T12:00:00+01:00", 5, to=name)
    exchange.change(name, "revoke", "2026-01-20T00:00:00+01:00")
    end = "2026-02-01T00:00:00+01:00"
    assert due(exchange, "2026-02-01T00:00:05+01:00") == [ms(end)]
    exchange.prove(end)
    [invoice] = exchange.settle(end)
    assert (invoice.records, invoice.final) == (5, True)
    assert due(exchange, "2026-04-01T00:00:05+02:00") == []


def test_a_product_without_subscriptions_is_not_closed(exchange: Any) -> None:
    """Nothing to bill, nothing to prove."""
    exchange.plan(UNIT)
    assert due(exchange, "2027-01-01T00:00:00+01:00") == []


MINIMUM = UNIT | {"minimum_commitment": {"amount": "100"}}


def test_a_suspended_subscription_is_billed_in_spite_of_a_neighbours_close(exchange: Any) -> None:
    """What a close left open is billed at its period's end, though nothing happened after it."""
    monthly = exchange.subscribe("monthly", exchange.plan(MINIMUM), "2026-01-01T00:00:00+01:00")
    daily = exchange.subscribe(
        "daily", exchange.plan(UNIT, DAY), "2026-01-24T00:00:00+01:00", length_s=86_400
    )
    exchange.deliver("2026-01-15T12:00:00+01:00", 5, to=monthly)
    exchange.change(monthly, "suspend", "2026-01-20T00:00:00+01:00")
    end = "2026-01-25T00:00:00+01:00"
    assert due(exchange, "2026-01-25T00:00:05+01:00") == [ms(end)]
    exchange.prove(end)
    assert [one.subscription for one in exchange.settle(end)] == [daily]
    exchange.change(daily, "revoke", "2026-01-25T00:00:00+01:00")
    exchange.change(monthly, "revoke", "2026-01-27T00:00:00+01:00")
    end = "2026-02-01T00:00:00+01:00"
    assert due(exchange, "2026-02-01T00:00:05+01:00") == [ms(end)]
    exchange.prove(end)
    [invoice] = exchange.settle(end)
    assert (invoice.subscription, invoice.records, invoice.final) == (monthly, 5, True)


def test_late_usage_owes_no_fee(exchange: Any) -> None:
    """Delivered after the end, in a period of fixed length that was never active: usage alone."""
    fee = {
        "currency": "EUR",
        "components": [
            {"model": "flat", "amount": "10"},
            {"model": "unit", "metric": "records", "unit_amount": "0.01"},
        ],
    }
    name = exchange.subscribe(
        "daily", exchange.plan(fee, DAY), "2026-01-10T00:00:00+00:00", length_s=86_400
    )
    exchange.change(name, "revoke", "2026-01-10T23:59:59+00:00")
    exchange.deliver("2026-01-11T00:00:01+00:00", 5, to=name)
    assert due(exchange, "2026-01-12T00:00:05+00:00") == [ms("2026-01-12T00:00:00+00:00")]
    exchange.prove("2026-01-12T00:00:00+00:00")
    first, late = exchange.settle("2026-01-12T00:00:00+00:00")
    assert (first.total_minor, first.records) == (1000, 0)
    assert (late.total_minor, late.records) == (5, 5)


def test_a_close_that_waits_is_not_asked_for_again(exchange: Any) -> None:
    """One that reaches so far already will bill it; a manual one in mid-period does not."""
    version = exchange.plan(UNIT)
    name = exchange.subscribe("meter", version, "2026-01-10T00:00:00+01:00")
    exchange.deliver("2026-01-15T12:00:00+01:00", 5, to=name)
    exchange.request("2026-02-03T00:00:00+01:00")
    assert due(exchange, "2026-02-03T02:00:00+01:00") == []


def test_a_change_of_plan_after_a_close_is_billed_at_once(exchange: Any) -> None:
    """A day of change ends the old version with an end that was closed already: it is due anew."""
    utc = {"calendar": "month", "time_zone": "UTC"}
    monthly = exchange.subscribe("monthly", exchange.plan(UNIT, utc), "2026-01-01T00:00:00+00:00")
    other = exchange.plan(UNIT, utc)
    daily = exchange.plan(UNIT, DAY)
    exchange.subscribe("daily", daily, "2026-01-19T00:00:00+00:00", length_s=86_400)
    exchange.deliver("2026-01-15T12:00:00+00:00", 5, to=monthly)
    end = "2026-01-20T00:00:00+00:00"
    assert due(exchange, "2026-01-20T00:00:05+00:00") == [ms(end)]
    exchange.prove(end)
    exchange.settle(end)
    exchange.change(monthly, "replan", "2026-01-20T18:00:00+00:00", version=other)
    now = "2026-01-20T18:00:05+00:00"
    assert due(exchange, now) == [ms(now)]
    exchange.prove(now)
    [invoice] = exchange.settle(now)
    assert (invoice.subscription, invoice.records, invoice.final) == (monthly, 5, True)
    assert due(exchange, "2026-01-20T18:00:15+00:00") == []


def test_a_subscription_that_cannot_be_told_holds_up_no_other(exchange: Any) -> None:
    """One whose plan's price was damaged is logged; its neighbour's month is closed."""
    damaged, sound = exchange.plan(UNIT), exchange.plan(UNIT)
    with exchange.sessions.begin() as session:
        session.execute(text("ALTER TABLE plan_versions DISABLE TRIGGER USER"))
        session.execute(
            text("UPDATE plan_versions SET price = '{}' WHERE number = :one"), {"one": damaged}
        )
    exchange.subscribe("damaged", damaged, "2026-01-10T00:00:00+01:00")
    exchange.subscribe("sound", sound, "2026-01-10T00:00:00+01:00")
    assert due(exchange, "2026-02-01T00:00:05+01:00") == [ms("2026-02-01T00:00:00+01:00")]


def test_one_process_at_a_time(exchange: Any) -> None:
    """While one process looks, the others do not; what one has asked for, none does again."""
    exchange.subscribe("meter", exchange.plan(UNIT), "2026-01-10T00:00:00+01:00")
    at = "2026-02-01T00:00:05+01:00"
    with ThreadPoolExecutor(4) as pool:
        asked = list(pool.map(lambda _: due(exchange, at), range(8)))
    assert [one for one in asked if one] == [[ms("2026-02-01T00:00:00+01:00")]]
    assert due(exchange, at) == []


def test_a_close_that_is_being_billed_covers_nothing_new(exchange: Any) -> None:
    """It may have passed the subscription by: what becomes due meanwhile gets its own close."""
    first, second = exchange.plan(UNIT), exchange.plan(UNIT)
    passed = exchange.subscribe("a", first, "2026-01-01T00:00:00+01:00")
    exchange.subscribe("b", first, "2026-01-01T00:00:00+01:00")
    end = "2026-01-20T12:00:00+01:00"
    exchange.request(end)
    exchange.prove(end)
    with exchange.sessions.begin() as session:
        now = datetime.fromisoformat(end)
        [interim] = settle(session, PRODUCT, ms(end), now=now, invoices_max=1)
    assert (interim.subscription, interim.final) == (passed, False)
    exchange.change(passed, "replan", "2026-01-20T18:00:00+01:00", version=second)
    now_text = "2026-01-20T18:00:05+01:00"
    assert due(exchange, now_text) == [ms(now_text)]
    exchange.prove(now_text)
    assert [one.subscription for one in exchange.settle(now_text)] == [passed]
    assert due(exchange, "2026-01-20T18:00:15+01:00") == []
