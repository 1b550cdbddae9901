"""A bill recounted from what its buyer is shown equals the invoice, to the minor unit."""

import json
from typing import Any

import pytest

from broker.billing.case import rate_case
from broker.billing.recount import recount
from broker.domain.actor import Actor
from broker.errors import NotFoundError

BUYER = Actor("token b", "grid")
GRADUATED = {
    "currency": "EUR",
    "components": [
        {"name": "access", "model": "flat", "amount": "31.00"},
        {
            "model": "graduated",
            "metric": "records",
            "tiers": [
                {"up_to": "1000", "unit_amount": "0.013", "flat_amount": "2"},
                {"up_to": None, "unit_amount": "0.007", "flat_amount": "1"},
            ],
        },
        {"name": "volume", "model": "unit", "metric": "GiB", "unit_amount": "0.10"},
    ],
    "tax": {"mode": "exclusive", "percentage": "19"},
}
MINIMUM = {
    "currency": "EUR",
    "model": "unit",
    "metric": "records",
    "unit_amount": "0.01",
    "minimum_commitment": {"amount": "62.00"},
    "tax": {"mode": "inclusive", "percentage": "19"},
}
SEPARATE = MINIMUM | {"splits": "separate", "minimum_quantity": "7", "currency": "JPY"}
ROUNDED = MINIMUM | {"unit_amount": "0.0033", "rounding": {"scope": "invoice"}}
FLAT = {"currency": "EUR", "model": "flat", "amount": "31.00"}
PRICES = [GRADUATED, MINIMUM, SEPARATE, ROUNDED, FLAT]


def _same(exchange: Any, invoice: Any) -> dict[str, Any]:
    """The recount of an invoice's buyer, after it is seen to be equal; its context."""
    with exchange.sessions() as session:
        found = recount(session, invoice.id, visible_to=BUYER)
    assert max(1, len(found.days)) == len(found.document["usage"])
    rated = rate_case(json.dumps(found.document).encode())
    assert "error" not in rated, rated
    assert (rated["name"], rated["currency"]) == (invoice.number, invoice.currency)
    assert rated["lines"] == [
        {
            "description": line.description,
            "quantity": f"{line.quantity:f}",
            "amount": f"{line.amount:f}",
        }
        for line in invoice.lines
    ]
    assert rated["total"] == f"{invoice.major(invoice.total_minor):f}"
    return dict(found.document["context"], before=found.before)


@pytest.mark.parametrize("price", PRICES)
def test_a_month_partly_active(exchange: Any, price: dict[str, Any]) -> None:
    """A month that the subscription began in, with a pause: days, minimum and fees are recounted.

    A pause may be a bill of its own at its end; each is equal.
    """
    grid = exchange.subscribe("meter", exchange.plan(price), "2026-01-09T10:00:00+01:00")
    exchange.deliver("2026-01-09T12:00:00+01:00", 1234, to=grid, size_bytes=3_000_000)
    exchange.change(grid, "suspend", "2026-01-12T12:00:00+01:00")
    exchange.change(grid, "resume", "2026-01-20T12:00:00+01:00")
    exchange.deliver("2026-01-31T23:30:00+01:00", 3, to=grid)
    invoices = exchange.close("2026-02-01T00:00:00+01:00")
    assert invoices
    contexts = [_same(exchange, invoice) for invoice in invoices]
    assert contexts[-1]["period"] == {"from": "2026-01-01", "to": "2026-02-01"}


@pytest.mark.parametrize("price", PRICES)
def test_interim_then_final(exchange: Any, price: dict[str, Any]) -> None:
    """A bill ahead of the end and the final one, which takes off the first and names it."""
    grid = exchange.subscribe("meter", exchange.plan(price), "2026-01-01T00:00:00+01:00")
    exchange.deliver("2026-01-05T12:00:00+01:00", 1001, to=grid)
    [early] = exchange.close("2026-01-10T13:30:00+01:00")
    exchange.deliver("2026-01-10T13:45:00+01:00", 501, to=grid)
    [middle] = exchange.close("2026-01-20T13:30:00+01:00")
    [rest] = exchange.close("2026-02-01T00:00:00+01:00")
    contexts = [_same(exchange, invoice) for invoice in (early, middle, rest)]
    assert [one["final"] for one in contexts] == [False, False, True]
    assert [one["before"] for one in contexts] == [None, early.number, middle.number]
    assert "already_billed" in contexts[2]


@pytest.mark.parametrize("price", PRICES)
def test_a_fixed_length(exchange: Any, price: dict[str, Any]) -> None:
    """Periods of a fixed length prorate nothing."""
    plan = exchange.plan(price, {"length_s": 60})
    grid = exchange.subscribe("trial", plan, "2026-01-01T10:00:30+00:00", length_s=60)
    exchange.deliver("2026-01-01T10:00:40+00:00", 40, to=grid)
    exchange.deliver("2026-01-01T10:01:35+00:00", 2, to=grid)
    invoices = exchange.close("2026-01-01T10:02:00+00:00")
    invoices += exchange.close("2026-01-01T10:03:00+00:00")
    contexts = [_same(exchange, invoice) for invoice in invoices]
    assert [one["final"] for one in contexts] == [True, False, True, False]
    assert not any("period" in one for one in contexts)


@pytest.mark.parametrize("length_s", [None, 60])
def test_a_change_of_plan_since_then(exchange: Any, length_s: int | None) -> None:
    """What was billed before a change of plan is recounted as it was, on the day of change too."""
    period = None if length_s is None else {"length_s": length_s}
    first, second = (exchange.plan(price, period) for price in (GRADUATED, MINIMUM))
    at = "2026-01-16T10:00:00+00:00"
    grid = exchange.subscribe("meter", first, at, length_s=length_s)
    exchange.deliver("2026-01-16T10:00:10+00:00", 1100, to=grid)
    invoices = exchange.close("2026-01-16T10:01:30+00:00")
    exchange.change(grid, "replan", "2026-01-16T18:00:00+00:00", version=second)
    exchange.deliver("2026-01-16T18:10:00+00:00", 10, to=grid)
    invoices_after = exchange.close("2026-01-16T18:12:00+00:00")
    exchange.change(grid, "revoke", "2026-01-16T19:30:00+00:00")
    with_change = invoices + invoices_after + exchange.close("2026-01-16T19:31:00+00:00")
    assert {invoice.plan_version for invoice in with_change} == {first, second}
    for invoice in with_change:
        _same(exchange, invoice)
    # The old version's last bill: the day of change is the new version's, so none is active.
    old = [one.id for one in invoices_after if one.plan_version == first]
    with exchange.sessions() as session:
        days = [recount(session, one, visible_to=BUYER).active_days for one in old]
    assert days == [0]


TIERS = [
    {"up_to": "3", "unit_amount": "0.013", "flat_amount": "2"},
    {"up_to": None, "unit_amount": "0.007", "flat_amount": "1"},
]
STEPS = [{"up_to": "3", "flat_amount": "2"}, {"up_to": None, "flat_amount": "7"}]
MODELS: dict[str, dict[str, Any]] = {
    "flat": {"amount": "31.00"},
    "unit": {"metric": "records", "unit_amount": "0.33"},
    "package": {"metric": "records", "package_size": "2", "package_amount": "0.5"},
    "graduated": {"metric": "records", "tiers": TIERS},
    "volume": {"metric": "records", "tiers": TIERS},
    "stairstep": {"metric": "records", "tiers": STEPS},
    "capacity": {"metric": "records", "tiers": STEPS},
}
WITH: dict[str, dict[str, Any]] = {
    "nothing else": {},
    "a minimum": {"minimum_commitment": {"amount": "62"}, "maximum_spend": "70"},
    "a whole minimum": {"minimum_commitment": {"amount": "62", "proration": "none"}},
    "tax by line, rounded late": {
        "minimum_commitment": {"amount": "62"},
        "rounding": {"scope": "invoice", "mode": "up"},
        "tax": {"mode": "inclusive", "percentage": "19", "scope": "line"},
    },
}


@pytest.mark.parametrize("besides", WITH)
@pytest.mark.parametrize("period", [None, {"length_s": 86_400}])
def test_late_usage_is_recounted(
    exchange: Any, besides: str, period: dict[str, int] | None
) -> None:
    """Usage after the end, in a period without an active day (f = 0): of every model a document.

    The price in it has no prorated fee and no prorated minimum; one that is whole stays.
    """
    fee = {"name": "access", "model": "flat", "amount": "10"}
    whole = fee | {"name": "desk", "proration": "none"}
    length_s = None if period is None else period["length_s"]
    for model, fields in MODELS.items():
        own = {"model": model, **fields}
        for name, price in (
            (model, own),
            (f"{model}-and-fees", {"components": [fee, whole, own]}),
        ):
            plan = exchange.plan({"currency": "EUR", **price, **WITH[besides]}, period)
            at = "2026-01-31T00:00:00+01:00"
            grid = exchange.subscribe(name, plan, at, length_s=length_s)
            exchange.change(grid, "revoke", "2026-01-31T23:59:59+01:00")
            exchange.deliver("2026-02-01T00:00:10+01:00", 5, to=grid)
    invoices = exchange.close("2026-03-01T00:00:00+01:00")
    late = [one for one in invoices if one.records]
    assert len(late) == 2 * len(MODELS)
    for one in late:
        context = _same(exchange, one)
        assert context == {"final": True, "before": None}
        assert "10.00" not in [f"{x.amount:f}" for x in one.lines if x.description == "access"]


def test_a_recount_is_for_those_who_see_the_invoice(exchange: Any) -> None:
    """Seller, buyer and operator get the same; to a stranger there is none."""
    exchange.subscribe("meter", exchange.plan(MINIMUM), "2026-01-01T00:00:00+01:00")
    [invoice] = exchange.close("2026-02-01T00:00:00+01:00")
    with exchange.sessions() as session:
        asked = (BUYER, Actor("token s", "windco"), Actor("operator"))
        one, two, three = (recount(session, invoice.number, visible_to=by) for by in asked)
        assert one == two == three
        with pytest.raises(NotFoundError):
            recount(session, invoice.id, visible_to=Actor("token x", "stranger"))
