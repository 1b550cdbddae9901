"""A billing period that is over and that nobody has closed is named, and is no difference."""

import json
from typing import Any

import pytest
from sqlalchemy import insert

from broker.domain import events as ev
from broker.store.billing import PeriodCloseRow
from broker.verify import statement
from broker.verify.report import Report

from .conftest import BUYERS, PRODUCT, Exchange

HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS
# The clock starts on 2023-11-14; months are Berlin's.
NOVEMBER_MS = 1_698_793_200_000
DECEMBER_MS = 1_701_385_200_000


@pytest.fixture
def used(exchange: Exchange) -> Exchange:
    """Seven records to each subscription, at a tenth of a euro."""
    exchange.produce(7)
    exchange.route()
    return exchange


def late(report: Report) -> set[str]:
    """Subscriptions with a period that is late; none of it is a difference."""
    assert [str(one) for one in report.differences] == []
    assert report.agrees
    return {one.subscription for one in report.unbilled}


def test_time_is_past(used: Exchange) -> None:
    """The month has ended an hour ago and more: period, records and amount are named."""
    used.clock.ms = DECEMBER_MS + HOUR_MS
    report = used.recount()
    assert late(report) == set(BUYERS)
    one = report.unbilled[0]
    assert (one.product, one.first_ms, one.end_ms) == (PRODUCT, NOVEMBER_MS, DECEMBER_MS)
    assert (one.records, one.amount, one.currency) == (7, "0.7", "EUR")
    assert "not yet billed: acme/wind, care/turbines, billing time [" in report.to_table()
    assert "7 records, 0.7 EUR under plan p version 1" in report.to_table()
    said = json.loads(report.to_json())["unbilled"]
    assert [row["subscription"] for row in said] == sorted(BUYERS)


def test_period_goes_on(used: Exchange) -> None:
    """What is still going on, or has just ended, is not late."""
    used.clock.ms = DECEMBER_MS + HOUR_MS - 1
    assert late(used.recount()) == set()


def test_subscription_ended(used: Exchange) -> None:
    """With its subscription a period is over, though its month goes on."""
    used.publish(ev.SubscriptionRevoked("trial/month", PRODUCT))
    assert late(used.recount()) == set()
    used.clock.ms += DAY_MS
    assert late(used.recount()) == {"trial/month"}


def test_closed_and_not_billed(used: Exchange) -> None:
    """Once a close that reaches it has been billed, it is a difference, and that alone."""
    used.publish(ev.PeriodClosing(PRODUCT, DECEMBER_MS))
    used.clock.ms = DECEMBER_MS + DAY_MS
    used.route()
    close = {
        "product": PRODUCT,
        "end_ms": DECEMBER_MS,
        "seq": used.seq,
        "finalise": True,
        "interim": False,
        "requested_at": used.clock.now(),
        "requested_by": "op",
        "settled_at": used.clock.now(),
        "billed_through": "",
    }
    with used.database.begin() as connection:
        connection.execute(insert(PeriodCloseRow), [close])
    report = used.recount()
    assert {one.subscription for one in report.differences} == set(BUYERS)
    assert report.unbilled == ()


def test_short_periods_are_many(used: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing closes periods of a minute, a bounded number of them is looked at."""
    looked = []
    rated = statement.due

    def due(*args: Any, **kwargs: Any) -> Any:
        looked.append(args)
        return rated(*args, **kwargs)

    monkeypatch.setattr(statement, "due", due)
    used.sql("UPDATE plan_versions SET period = :p", p='{"length_s": 60}')
    used.clock.ms += DAY_MS
    assert late(used.recount()) == set(BUYERS)
    assert len(looked) == 100 * len(BUYERS)


def test_nothing_due(exchange: Exchange) -> None:
    """A period that comes to nothing is not missed."""
    exchange.clock.ms = DECEMBER_MS + DAY_MS
    assert late(exchange.recount()) == set()
