"""A proven close becomes invoices: which usage, which days, which plan version, how often."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from broker.billing.close import closes, proof, request_close
from broker.billing.runner import settle_proven
from broker.billing.settle import settle
from broker.errors import ConflictError
from broker.store.billing import PeriodCloseRow

from .terms import MONTHLY, UNIT, lines, ms


def test_a_month_is_one_invoice(exchange: Any) -> None:
    """A whole month: usage of both partitions, flat fee, minimum, tax; numbered and finalised."""
    grid = exchange.subscribe("meter", exchange.plan(MONTHLY), "2025-12-31T23:00:00+00:00")
    exchange.deliver("2026-01-10T12:00:00+01:00", 1000, to=grid)
    exchange.deliver("2026-01-20T12:00:00+01:00", 500, to=grid, partition=1)
    exchange.deliver("2026-02-01T00:00:00+01:00", 700, to=grid, partition=1)  # of the next month
    [invoice] = exchange.close("2026-02-01T00:00:00+01:00")
    assert lines(invoice) == {
        "access": "31.00",
        "records": "15.00",
        "minimum commitment": "16.00",
        "tax": "11.78",
    }
    assert (invoice.net_minor, invoice.tax_minor, invoice.total_minor) == (6200, 1178, 7378)
    assert (invoice.records, invoice.billed_bytes, invoice.final) == (1500, 150_000, True)
    assert (invoice.number, invoice.state) == ("WINDCO-2026-000001", "finalised")
    assert (invoice.seller, invoice.buyer) == ("windco", "grid")


def test_settling_twice_changes_nothing(exchange: Any) -> None:
    """The second run makes no invoice, and a later close does not bill the month again."""
    grid = exchange.subscribe("meter", exchange.plan(UNIT), "2026-01-05T00:00:00+01:00")
    exchange.deliver("2026-01-10T12:00:00+01:00", 1000, to=grid)
    assert len(exchange.close("2026-02-01T00:00:00+01:00")) == 1
    assert exchange.settle("2026-02-01T00:00:00+01:00") == []
    [february] = exchange.close("2026-03-01T00:00:00+01:00")
    assert (february.records, february.total_minor) == (0, 0)


def test_nothing_is_billed_before_the_proof(exchange: Any) -> None:
    """A close that is not proven is refused, and names the partition; the runner leaves it."""
    exchange.subscribe("meter", exchange.plan(UNIT), "2026-01-05T00:00:00+01:00")
    exchange.request("2026-02-01T00:00:00+01:00")
    exchange.deliver("2026-02-01T00:00:00+01:00", partition=0)
    with pytest.raises(ConflictError, match="partition 1 has no segment yet"):
        exchange.settle("2026-02-01T00:00:00+01:00")
    now = datetime(2026, 2, 2, tzinfo=UTC)
    assert settle_proven(exchange.sessions, clock=lambda: now) == []
    exchange.deliver("2026-02-01T00:00:00+01:00", partition=1)
    assert len(settle_proven(exchange.sessions, clock=lambda: now)) == 1
    assert settle_proven(exchange.sessions, clock=lambda: now) == []


def test_a_long_bill_is_made_in_parts(exchange: Any) -> None:
    """One call makes a bounded number of invoices; the close is settled when none is left."""
    plan = exchange.plan(UNIT, {"length_s": 60})
    exchange.subscribe("trial", plan, "2026-01-01T10:00:00+00:00", length_s=60)
    end = "2026-01-01T10:05:00+00:00"
    exchange.request(end)
    exchange.prove(end)
    numbers, parts = [], []
    for _ in range(4):
        with exchange.sessions.begin() as session:
            now = datetime(2026, 1, 2, tzinfo=UTC)
            part = settle(session, "windco/wind", ms(end), now=now, invoices_max=2)
            [close] = closes(session, "windco/wind")
        parts.append((len(part), close.settled_at is not None))
        numbers += [invoice.number for invoice in part]
    assert parts == [(2, False), (2, False), (1, True), (0, True)]
    assert numbers == [f"WINDCO-2026-{i:06}" for i in range(1, 6)]


def test_a_close_goes_on_where_it_was(exchange: Any) -> None:
    """Each call begins with the subscription that the one before did not finish; none is missed."""
    plan = exchange.plan(UNIT, {"length_s": 60})
    for name in ("a", "b", "c"):
        exchange.subscribe(name, plan, "2026-01-01T10:00:00+00:00", length_s=60)
    end = "2026-01-01T10:03:00+00:00"
    exchange.request(end)
    exchange.prove(end)
    made, through = [], []
    for _ in range(3):
        with exchange.sessions.begin() as session:
            now = datetime(2026, 1, 2, tzinfo=UTC)
            part = settle(session, "windco/wind", ms(end), now=now, invoices_max=4)
            row = session.get_one(PeriodCloseRow, ("windco/wind", ms(end)))
            through.append((row.billed_through, row.settled_at is not None))
        made.append([invoice.subscription for invoice in part])
    assert made == [["grid/a"] * 3 + ["grid/b"], ["grid/b"] * 2 + ["grid/c"] * 2, ["grid/c"]]
    assert through == [("grid/a", False), ("grid/b", False), ("grid/c", True)]


def test_a_close_that_is_asked_for_again_needs_its_own_proof(exchange: Any) -> None:
    """Asked for again, for interim bills, while it waits for its turn: the old proof is not it."""
    exchange.subscribe("meter", exchange.plan(UNIT), "2026-01-05T00:00:00+01:00")
    end = "2026-01-20T00:00:00+01:00"
    now = datetime(2026, 1, 21, tzinfo=UTC)
    with exchange.sessions.begin() as session:
        request_close(session, "windco/wind", ms(end), by="test", interim=False, now=now)
    exchange.prove(end)
    with exchange.sessions.begin() as session:
        read_before = session.get_one(PeriodCloseRow, ("windco/wind", ms(end)))
        assert proof(session, "windco/wind", ms(end), now=now).complete
        with exchange.sessions.begin() as other:
            request_close(other, "windco/wind", ms(end), by="test", now=now)
        with pytest.raises(ConflictError, match="was last accounted under control seq 1"):
            settle(session, "windco/wind", ms(end), now=now)
        assert read_before.interim
    exchange.prove(end)
    [interim] = exchange.settle(end)
    assert not interim.final


def test_bills_ahead_of_the_end_add_up(exchange: Any) -> None:
    """A period closed in its middle is billed so far, without its minimum; the rest comes later."""
    grid = exchange.subscribe("meter", exchange.plan(MONTHLY), "2026-01-01T00:00:00+01:00")
    exchange.deliver("2026-01-05T12:00:00+01:00", 1000, to=grid)
    [early] = exchange.close("2026-01-10T13:30:00+01:00")
    assert lines(early) == {"access": "10.00", "records": "10.00", "tax": "3.80"}
    assert not early.final
    exchange.deliver("2026-01-10T13:45:00+01:00", 500, to=grid)
    [rest] = exchange.close("2026-02-01T00:00:00+01:00")
    assert lines(rest) == {
        "access": "31.00",
        "records": "15.00",
        "minimum commitment": "16.00",
        "already billed": "-20.00",
        "tax": "7.98",
    }
    assert (early.records, rest.records, rest.final) == (1000, 500, True)
    assert early.net_minor + rest.net_minor == 6200


def test_fixed_periods_begin_with_the_subscription(exchange: Any) -> None:
    """Periods of fixed length are rated without proration, each with its usage."""
    price = {
        "currency": "EUR",
        "components": [
            {"name": "access", "model": "flat", "amount": "1.00"},
            {"model": "unit", "metric": "GiB", "unit_amount": "4.00"},
        ],
    }
    plan = exchange.plan(price, {"length_s": 60})
    grid = exchange.subscribe("trial", plan, "2026-01-01T10:00:30+00:00", length_s=60)
    # Older than the subscription, but routed to it: of the first period too.
    exchange.deliver("2025-12-31T09:00:00+00:00", 1, to=grid, size_bytes=2**28)
    exchange.deliver("2026-01-01T10:01:29.999+00:00", 1, to=grid, size_bytes=2**29)
    exchange.deliver("2026-01-01T10:01:30+00:00", 1, to=grid, size_bytes=2**30)
    one, two = exchange.close("2026-01-01T10:02:30+00:00")
    assert lines(one) == {"access": "1.00", "GiB": "3.00"}
    assert lines(two) == {"access": "1.00", "GiB": "4.00"}
    assert one.period_end_ms == two.period_first_ms


def test_a_revoked_subscription_gets_its_last_bill(exchange: Any) -> None:
    """After revocation one final invoice, with the minimum; nothing from then on."""
    price = {**UNIT, "minimum_commitment": {"amount": "31.00"}}
    grid = exchange.subscribe("meter", exchange.plan(price), "2026-01-01T00:00:00+01:00")
    exchange.deliver("2026-01-05T12:00:00+01:00", 100, to=grid)
    exchange.change(grid, "revoke", "2026-01-10T12:00:00+01:00")
    [last] = exchange.close("2026-01-15T00:00:00+01:00")
    assert last.final
    assert lines(last) == {"records": "1.00", "minimum commitment": "9.00"}
    assert exchange.close("2026-02-01T00:00:00+01:00") == []
    assert exchange.close("2026-03-01T00:00:00+01:00") == []


def test_a_close_older_than_the_revocation_is_not_final(exchange: Any) -> None:
    """Only segments that know of the end prove that nothing more will come."""
    grid = exchange.subscribe("meter", exchange.plan(UNIT), "2026-01-01T00:00:00+01:00")
    exchange.request("2026-01-15T00:00:00+01:00")
    exchange.change(grid, "revoke", "2026-01-14T12:00:00+01:00")
    exchange.prove("2026-01-15T00:00:00+01:00")
    [early] = exchange.settle("2026-01-15T00:00:00+01:00")
    assert not early.final
    [last] = exchange.close("2026-01-20T00:00:00+01:00")
    assert last.final


@pytest.mark.parametrize("partition", [0, 1])
def test_every_record_is_billed_once(exchange: Any, partition: int) -> None:
    """However closes fall, the invoices' records are the ledger's, to the record and the byte."""
    plan = exchange.plan(UNIT, {"length_s": 3600})
    grid = exchange.subscribe("trial", plan, "2026-01-01T10:07:00+00:00", length_s=3600)
    delivered, invoices = 0, []
    for step, minute in enumerate(range(0, 240, 11)):
        at = f"2026-01-01T{10 + minute // 60:02}:{minute % 60:02}:00+00:00"
        exchange.deliver(at, step + 1, to=grid, partition=(partition + step) % 2)
        delivered += step + 1
        if step % 5 == 4:
            invoices += exchange.close(at)
    invoices += exchange.close("2026-01-01T15:00:00+00:00")
    assert sum(invoice.records for invoice in invoices) == delivered
    assert sum(invoice.billed_bytes for invoice in invoices) == delivered * 100
    total = sum((invoice.major(invoice.total_minor) for invoice in invoices), Decimal(0))
    assert total == Decimal(delivered) / 100
