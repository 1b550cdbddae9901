"""Which days a bill counts: those of the plan's zone, active ones, and days of change."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from broker.billing.recount import recount
from broker.domain.actor import OPERATOR

from .terms import MONTHLY, UNIT, lines


def test_days_are_those_of_the_plans_zone(exchange: Any) -> None:
    """Separate splits are calendar days in Berlin, active days without usage among them."""
    price = {
        **UNIT,
        "unit_amount": "1",
        "splits": "separate",
        "minimum_quantity": "2",
    }
    grid = exchange.subscribe("meter", exchange.plan(price), "2026-01-30T15:00:00+01:00")
    exchange.deliver("2026-01-30T23:30:00+01:00", 5, to=grid)  # a UTC day has not changed here
    exchange.deliver("2026-01-31T00:15:00+01:00", 7, to=grid)
    exchange.deliver("2026-01-31T00:30:00+01:00", 1, to=grid, partition=1)
    [invoice] = exchange.close("2026-02-01T00:00:00+01:00")
    assert lines(invoice) == {"records": "13.00"}  # 5 + 8
    [february] = exchange.close("2026-03-01T00:00:00+01:00")
    assert lines(february) == {"records": "56.00"}  # 28 days at the least quantity


@pytest.mark.parametrize(
    ("month", "day", "hours", "days"),
    [
        (("2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00"), "2026-03-29", 23, 31),
        (("2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00"), "2026-10-25", 25, 31),
    ],
)
def test_a_change_of_clocks_is_one_day(
    exchange: Any, month: tuple[str, str], day: str, hours: int, days: int
) -> None:
    """The day on which clocks change is one split of 23 or 25 hours, and one of the days of f."""
    access = {"name": "access", "model": "flat", "amount": "31.00"}
    unit = {"model": "unit", "metric": "records", "unit_amount": "1", "minimum_quantity": "1000"}
    price = {"currency": "EUR", "components": [access, unit], "splits": "separate"}
    grid = exchange.subscribe("meter", exchange.plan(price), f"{day}T12:00:00+00:00")
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    first = midnight.astimezone(UTC)
    for quarter in range(hours * 4):
        at = first + quarter * timedelta(minutes=15)
        exchange.deliver(at.isoformat(), 100, to=grid, partition=quarter % 2)
    exchange.deliver((first + timedelta(hours=hours)).isoformat(), 7, to=grid)  # the next day's
    invoice = exchange.close(month[1])[0]
    left = (date.fromisoformat(month[1][:10]) - date.fromisoformat(day)).days - 1
    assert invoice.records == hours * 400 + 7
    # A whole day in one split; each later one at its least quantity.
    assert lines(invoice)["records"] == f"{hours * 400 + left * 1000:.2f}"
    assert lines(invoice)["access"] == f"{left + 1:.2f}"  # 31.00 a month of 31 days
    with exchange.sessions() as session:
        found = recount(session, invoice.id, visible_to=OPERATOR)
    assert (found.active_days, len(found.days)) == (left + 1, left + 1)
    period = found.document["context"]["period"]
    assert period == {"from": month[0][:10], "to": month[1][:10]}
    assert days == (date.fromisoformat(period["to"]) - date.fromisoformat(period["from"])).days


def test_suspended_days_are_not_active(exchange: Any) -> None:
    """A flat fee counts days that were active at any moment; a suspension's inner days are not."""
    price = {"currency": "EUR", "model": "flat", "amount": "31.00"}
    grid = exchange.subscribe("meter", exchange.plan(price), "2025-12-31T22:00:00+00:00")
    exchange.change(grid, "suspend", "2026-01-10T12:00:00+01:00")
    exchange.change(grid, "resume", "2026-01-20T12:00:00+01:00")
    invoices = exchange.close("2026-02-01T00:00:00+01:00")
    assert [lines(invoice)["flat"] for invoice in invoices] == ["1.00", "22.00"]


def test_a_day_of_change_is_the_new_versions(exchange: Any) -> None:
    """Usage and active days of the day of change are billed under the new plan version."""
    first = exchange.plan(MONTHLY)
    second = exchange.plan({**UNIT, "unit_amount": "0.02"})
    grid = exchange.subscribe("meter", first, "2026-01-01T00:00:00+01:00")
    exchange.deliver("2026-01-10T12:00:00+01:00", 1000, to=grid)
    exchange.deliver("2026-01-16T00:00:00+01:00", 100, to=grid)  # the day of change, before it
    exchange.change(grid, "replan", "2026-01-16T18:00:00+01:00", version=second)
    exchange.deliver("2026-01-20T12:00:00+01:00", 10, to=grid)
    old, new = exchange.close("2026-02-01T00:00:00+01:00")
    assert (old.plan_version, old.records, lines(old)["access"]) == (first, 1000, "15.00")
    assert lines(old)["minimum commitment"] == "5.00"  # of 30.00, 15 of 31 days
    assert (new.plan_version, new.records, lines(new)) == (second, 110, {"records": "2.20"})


def test_a_bill_ahead_of_a_change_is_not_billed_again(exchange: Any) -> None:
    """What was billed on the day of change before it stays with the old version."""
    second = exchange.plan({**UNIT, "unit_amount": "1"})
    first = exchange.plan(UNIT)
    grid = exchange.subscribe("meter", first, "2026-01-01T00:00:00+01:00")
    exchange.deliver("2026-01-16T09:00:00+01:00", 100, to=grid)
    [early] = exchange.close("2026-01-16T10:00:00+01:00")
    exchange.change(grid, "replan", "2026-01-16T18:00:00+01:00", version=second)
    exchange.deliver("2026-01-16T11:00:00+01:00", 7, to=grid)
    old, new = exchange.close("2026-02-01T00:00:00+01:00")
    assert (early.total_minor, old.total_minor, new.total_minor) == (100, 0, 700)
    assert (early.records, old.records, new.records) == (100, 0, 7)
    assert exchange.settle("2026-02-01T00:00:00+01:00") == []


@pytest.mark.parametrize("shape", ["components", "single"])
def test_a_bill_without_a_day_is_recounted(exchange: Any, shape: str) -> None:
    """A change of plan took the version's only day: no split is left, and none costs a minimum."""
    unit = {"model": "unit", "metric": "records", "unit_amount": "1", "minimum_quantity": "24"}
    flat = {"name": "access", "model": "flat", "amount": "31"}
    parts = unit if shape == "single" else {"components": [flat, unit]}
    first = exchange.plan({"currency": "EUR", "splits": "separate", **parts})
    second = exchange.plan(UNIT)
    grid = exchange.subscribe("meter", first, "2026-01-16T09:00:00+01:00")
    [early] = exchange.close("2026-01-16T10:00:00+01:00")
    exchange.change(grid, "replan", "2026-01-16T18:00:00+01:00", version=second)
    old, _ = exchange.close("2026-02-01T00:00:00+01:00")
    assert (old.plan_version, old.total_minor) == (first, -early.total_minor)
    assert exchange.unequal() == []  # `weir rate` of its document says the same


def test_a_month_that_lacks_a_day(exchange: Any) -> None:
    """Apia had no 30 December 2011: its last day is one of 30, in the document too."""
    price = {"currency": "EUR", "model": "flat", "amount": "30.00"}
    months = {"calendar": "month", "time_zone": "Pacific/Apia"}
    exchange.subscribe("meter", exchange.plan(price, months), "2011-12-31T12:00:00+14:00")
    [invoice] = exchange.close("2012-01-01T00:00:00+14:00")
    assert lines(invoice) == {"flat": "1.00"}
    assert exchange.unequal() == []
