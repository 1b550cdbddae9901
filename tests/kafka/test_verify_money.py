"""The recount agrees with billing on every way a period can go, and names what was changed.

Real PostgreSQL, real billing; the memory log, so that months pass as a test says.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from broker.billing.close import request_close
from broker.domain import events as ev
from broker.log.memory import MemoryLog
from broker.store.base import engine
from broker.store.migrate import migrate

from .verify_clock import MovedClock
from .verify_control import PLAN, PRODUCT
from .verify_exchange import Exchange

PER_RECORD = {"currency": "EUR", "model": "unit", "metric": "records", "unit_amount": "0.1"}
FULL = {
    "currency": "EUR",
    "components": [
        {"name": "access", "model": "flat", "amount": "31.00"},
        {
            "model": "graduated",
            "metric": "records",
            "tiers": [
                {"up_to": "5", "unit_amount": "1"},
                {"up_to": None, "unit_amount": "0.333"},
            ],
        },
        {
            "name": "volume",
            "model": "package",
            "metric": "bytes",
            "package_size": "100",
            "package_amount": "0.05",
        },
    ],
    "minimum_commitment": {"amount": "40"},
    "tax": {"mode": "exclusive", "percentage": "19"},
}


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock("2026-03-10T08:00:00+00:00")


@pytest.fixture
def exchange(database_url: str, clock: MovedClock) -> Iterator[Exchange]:
    migrate(database_url)
    database = engine(database_url)
    log = MemoryLog(now_ms=clock.now_ms)

    def create(name: str, partitions: int, append_time: bool) -> str:  # noqa: FBT001  a port
        return log.create_topic(name, partitions, append_time=append_time)

    def tick() -> None:
        clock.ms += 200

    made = Exchange(log, database, clock, create, tick=tick)
    yield made
    made.close()
    database.dispose()


def agreed(exchange: Exchange) -> dict[str, int]:
    """Minor units invoiced by subscription, after a recount without differences."""
    report = exchange.recount()
    assert [str(one) for one in report.differences] == []
    return {
        row.subscription: sum(one.total_minor for one in row.invoices)
        for row in report.subscriptions
    }


def test_a_month(exchange: Exchange, clock: MovedClock) -> None:
    """A calendar month with fee, tiers, packages, minimum and tax, prorated from activation."""
    exchange.subscribe("grid", exchange.plan(FULL))
    exchange.produce(12)
    exchange.route()
    clock.go("2026-03-29T01:30:00+00:00")
    exchange.produce(3, partition=1)
    exchange.route()
    clock.go("2026-04-01T09:00:00+00:00")
    invoices = exchange.bill(_ms("2026-04-01T00:00:00+02:00"))
    assert len(invoices) == 1
    assert agreed(exchange) == {"grid/wind": invoices[0].total_minor}


def test_billed_ahead_of_the_end(exchange: Exchange, clock: MovedClock) -> None:
    """A period billed in three bills, each for what the ones before left open."""
    exchange.subscribe("grid", exchange.plan(FULL))
    for day in ("11", "12", "13"):
        clock.go(f"2026-03-{day}T10:00:00+00:00")
        exchange.produce(7)
        exchange.route()
        clock.ms += 1000
        exchange.bill()
    clock.go("2026-04-02T00:00:00+00:00")
    exchange.bill(_ms("2026-04-01T00:00:00+02:00"))
    assert exchange.recount().invoices == 4
    agreed(exchange)


def test_another_plan_in_mid_month(exchange: Exchange, clock: MovedClock) -> None:
    """The day of change belongs to the new version."""
    name = exchange.subscribe("grid", exchange.plan(FULL))
    exchange.produce(9)
    exchange.route()
    clock.go("2026-03-20T09:00:00+00:00")
    exchange.produce(4)
    exchange.route()
    clock.go("2026-03-20T15:00:00+00:00")
    version = exchange.plan({**PER_RECORD, "splits": "separate"})
    exchange.change(name, ev.SubscriptionReplanned(name, PRODUCT, PLAN, version))
    exchange.produce(5)
    exchange.route()
    clock.go("2026-04-01T09:00:00+00:00")
    exchange.bill(_ms("2026-04-01T00:00:00+02:00"))
    assert exchange.recount().invoices == 2
    agreed(exchange)


@pytest.mark.parametrize("bill_at", ["2026-03-20T09:30:00+00:00", "2026-03-20T00:00:00+01:00"])
def test_another_plan_after_a_bill_of_that_day(
    exchange: Exchange, clock: MovedClock, bill_at: str
) -> None:
    """A bill ahead of the end, up to where a change of plan then ends the term, is no difference.

    On the day of change it ends the old version's time; at its midnight it meets that end.
    """
    name = exchange.subscribe("grid", exchange.plan(FULL))
    clock.go("2026-03-20T09:00:00+00:00")
    exchange.produce(4)
    exchange.route()
    clock.go("2026-03-20T10:00:00+00:00")
    (early,) = exchange.bill(_ms(bill_at))
    version = exchange.plan(PER_RECORD)
    exchange.change(name, ev.SubscriptionReplanned(name, PRODUCT, PLAN, version))
    exchange.produce(5)
    exchange.route()
    agreed(exchange)
    clock.go("2026-04-01T09:00:00+00:00")
    old, new = exchange.bill(_ms("2026-04-01T00:00:00+02:00"))
    assert (early.final, old.final, new.final) == (False, True, True)
    assert (old.through_ms, early.records + old.records + new.records) == (early.through_ms, 9)
    agreed(exchange)


def test_another_plan_after_final_bills_of_that_day(exchange: Exchange, clock: MovedClock) -> None:
    """Hours billed for good before a change of plan on their day keep their fee and their days."""
    splits = {**FULL, "splits": "separate"}
    name = exchange.subscribe("grid", exchange.plan(splits, {"length_s": 3600}), length_s=3600)
    clock.go("2026-03-10T10:30:00+00:00")
    exchange.bill()
    version = exchange.plan(PER_RECORD, {"length_s": 3600})
    exchange.change(name, ev.SubscriptionReplanned(name, PRODUCT, PLAN, version))
    exchange.route()
    agreed(exchange)
    clock.go("2026-03-10T12:30:00+00:00")
    exchange.bill()
    agreed(exchange)


def test_suspended_and_revoked(exchange: Exchange, clock: MovedClock) -> None:
    """Days without delivery are not active; after revocation the period is final at once."""
    name = exchange.subscribe("trial", exchange.plan(FULL))
    exchange.produce(2)
    exchange.route()
    clock.go("2026-03-12T12:00:00+00:00")
    exchange.change(name, ev.SubscriptionSuspended(name, PRODUCT))
    clock.go("2026-03-17T12:00:00+00:00")
    exchange.change(name, ev.SubscriptionResumed(name, PRODUCT))
    exchange.produce(2)
    exchange.route()
    clock.go("2026-03-19T12:00:00+00:00")
    exchange.change(name, ev.SubscriptionRevoked(name, PRODUCT))
    exchange.produce(2)
    exchange.route()
    clock.ms += 5000
    invoices = exchange.bill()
    assert [invoice.final for invoice in invoices] == [True]
    agreed(exchange)


def test_short_periods(exchange: Exchange, clock: MovedClock) -> None:
    """Periods of a fixed length, several of them in one quarter hour."""
    version = exchange.plan(FULL, {"length_s": 60})
    exchange.subscribe("trial", version, length_s=60)
    exchange.subscribe("grid", exchange.plan(PER_RECORD))
    for _ in range(5):
        exchange.produce(6)
        clock.ms += 17_000
        exchange.produce(6, partition=1)
        clock.ms += 17_000
    exchange.route()
    exchange.bill()
    assert exchange.recount().invoices >= 4
    agreed(exchange)


@pytest.fixture
def billed(exchange: Exchange, clock: MovedClock) -> Exchange:
    """A month of two subscriptions, invoiced."""
    version = exchange.plan(FULL)
    exchange.subscribe("grid", version)
    exchange.subscribe("care", version)
    exchange.produce(12)
    exchange.route()
    clock.go("2026-04-01T09:00:00+00:00")
    exchange.bill(_ms("2026-04-01T00:00:00+02:00"))
    agreed(exchange)
    return exchange


OF_GRID = "(SELECT id FROM invoices WHERE subscription = 'grid/wind')"


@pytest.mark.parametrize(
    ("tampering", "where", "what"),
    [
        ("UPDATE invoice_lines SET amount = amount + 1", "position = 0", "line 'access' is"),
        ("UPDATE invoice_lines SET quantity = 1", "position = 1", "line 'records' counts 1"),
        ("UPDATE invoice_lines SET description = 'x'", "position = 0", "line 0 is 'x'"),
        ("DELETE FROM invoice_lines", "position = 2", "lines, it should have"),
        ("UPDATE invoices SET total_minor = total_minor + 1", "true", "total is"),
        ("UPDATE invoices SET tax_minor = tax_minor + 1", "true", "tax is"),
        ("UPDATE invoices SET records = 11", "true", "bills 11 records"),
        ("UPDATE invoices SET buyer = 'trial'", "true", "another seller, buyer"),
        ("UPDATE invoices SET sequence = 7", "true", "are not gapless"),
        ("DELETE FROM invoices", "true", "are on no invoice although"),
        ("UPDATE invoices SET currency = 'USD'", "true", "is in USD, its price is in EUR"),
        ("UPDATE invoices SET number = 'ACME-2026-000009'", "true", "has another number than"),
        ("DELETE FROM journal_entries", "true", "has 0 journal entries"),
        ("UPDATE journal_entries SET minor_digits = 0", "true", "counts 0 minor digits"),
        ("UPDATE journal_entries SET kind = 'x'", "true", "is of kind x"),
        ("UPDATE journal_entries SET invoice = 'x'", "true", "of invoice x, which is not there"),
        ("UPDATE journal_postings SET entry = 'x'", "true", "entry x, which is not there"),
        (
            "UPDATE journal_postings SET amount_minor = amount_minor + 1",
            "account = 'tax'",
            "sums to 1, not to zero",
        ),
    ],
)
def test_tampered_money(billed: Exchange, tampering: str, where: str, what: str) -> None:
    """A changed invoice, line, posting or number is named."""
    of_grid = {
        "invoices": f"id = {OF_GRID}",
        "invoice_lines": f"invoice = {OF_GRID}",
        "journal_entries": f"invoice = {OF_GRID}",
        "journal_postings": f"entry = 'invoice/' || {OF_GRID}",
    }
    table = next(word for word in tampering.split() if word in of_grid)
    billed.sql("ALTER TABLE invoices DROP CONSTRAINT ck_invoices_sum")
    billed.sql(f"{tampering} WHERE {where} AND {of_grid[table]}")
    named = [str(one) for one in billed.recount().differences]
    assert any(what in text for text in named), named


def test_paid_out_for_nothing(billed: Exchange) -> None:
    """A balanced entry of an invoice that there is not; postings of an entry that there is not.

    Each would be paid out to the seller.
    """
    postings = "INSERT INTO journal_postings VALUES ('{0}', 0, 'buyer', 'grid', 100), "
    postings += "('{0}', 1, 'seller', 'acme', -100)"
    billed.sql(
        "INSERT INTO journal_entries SELECT 'forged', kind, 'none', at, currency, minor_digits, "
        "500, 2 FROM journal_entries LIMIT 1",
        postings.format("forged"),
        postings.format("unheard"),
    )
    assert [one.what for one in billed.recount().differences] == [
        "journal entry forged is of invoice none, which is not there",
        "postings name journal entry unheard, which is not there",
    ]


def close_unbilled(exchange: Exchange, end_ms: int, *, interim: bool = True) -> list[str]:
    """Prove a close and say it was billed, but make no invoices; gives what differs then."""
    with exchange.sessions.begin() as session:
        request_close(
            session, PRODUCT, end_ms, by="test", interim=interim, now=exchange.clock.now()
        )
    exchange.relay()
    exchange.route()
    exchange.sql("UPDATE period_closes SET settled_at = now() WHERE settled_at IS NULL")
    return [str(one) for one in exchange.recount().differences]


def test_fee_never_invoiced(exchange: Exchange, clock: MovedClock) -> None:
    """Fee and minimum are owed for a period in which nothing was used; their absence is named."""
    exchange.subscribe("grid", exchange.plan(FULL))
    clock.go("2026-04-01T09:00:00+00:00")
    (one,) = close_unbilled(exchange, _ms("2026-04-01T00:00:00+02:00"))
    assert one.startswith("billing: acme/wind, grid/wind: nothing was metered in billing time [0, ")
    assert "33.78 EUR" in one  # 22 of 31 days: 28.39 of the minimum, and 19 %


def test_rest_of_a_period_never_invoiced(exchange: Exchange, clock: MovedClock) -> None:
    """A period billed ahead of its end owes the rest once it has ended, used or not."""
    exchange.subscribe("grid", exchange.plan(FULL))
    exchange.produce(2)
    exchange.route()
    clock.go("2026-03-20T09:00:00+00:00")
    exchange.bill()
    clock.go("2026-04-01T09:00:00+00:00")
    (one,) = close_unbilled(exchange, _ms("2026-04-01T00:00:00+02:00"), interim=False)
    assert "nothing was metered in billing time" in one


def test_usage_of_an_ended_period_never_invoiced(exchange: Exchange, clock: MovedClock) -> None:
    """Usage of a fixed-length period that a close ends is named once, whatever it comes to."""
    version = exchange.plan({**PER_RECORD, "unit_amount": "0"}, {"length_s": 60})
    exchange.subscribe("trial", version, length_s=60)
    exchange.produce(3)
    exchange.route()
    clock.ms += 70_000
    (one,) = close_unbilled(exchange, clock.ms - 5_000, interim=False)
    assert "3 records metered in billing time" in one
    assert "are on no invoice although the period is closed: 0 EUR" in one


@pytest.mark.parametrize("price", [PER_RECORD, FULL])
def test_nothing_owed_yet(exchange: Exchange, clock: MovedClock, price: dict[str, Any]) -> None:
    """A close which falls into a period and bills no interim leaves nothing owed."""
    exchange.subscribe("grid", exchange.plan(price))
    exchange.produce(2)
    exchange.route()
    clock.go("2026-03-20T09:00:00+00:00")
    assert close_unbilled(exchange, clock.ms, interim=False) == []


def test_nothing_owed_for_nothing(exchange: Exchange, clock: MovedClock) -> None:
    """A price by the record owes nothing for a period without records."""
    exchange.subscribe("grid", exchange.plan(PER_RECORD))
    clock.go("2026-04-01T09:00:00+00:00")
    assert close_unbilled(exchange, _ms("2026-04-01T00:00:00+02:00")) == []


def test_plan_changed_after_the_close(exchange: Exchange, clock: MovedClock) -> None:
    """A change on the day of a close ends the old version's time before it; a later close bills."""
    name = exchange.subscribe("grid", exchange.plan(FULL))
    clock.go("2026-03-20T09:00:00+00:00")
    assert close_unbilled(exchange, clock.ms, interim=False) == []
    clock.go("2026-03-20T15:00:00+00:00")
    version = exchange.plan(PER_RECORD)
    exchange.change(name, ev.SubscriptionReplanned(name, PRODUCT, PLAN, version))
    exchange.route()
    agreed(exchange)


def test_price_changed_after_the_bill(billed: Exchange) -> None:
    """A plan version is immutable: with another price the invoices no longer come out."""
    billed.sql("UPDATE plan_versions SET price = jsonb_set(price, '{tax,percentage}', '\"7\"')")
    assert any("tax is" in one.what for one in billed.recount().differences)


def _ms(at: str) -> int:
    return MovedClock(at).ms
