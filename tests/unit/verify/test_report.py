"""A report agrees only if its counts add up by themselves, whatever differences were found."""

from dataclasses import replace
from typing import Any

import pytest

from broker.verify.findings import Findings
from broker.verify.report import Difference, Range, Report, SubscriptionCount

from .conftest import PRODUCT, Exchange

BUYER = "grid/forecast"
COUNT = SubscriptionCount(
    subscription=BUYER,
    product=PRODUCT,
    plan="p v1",
    entitled_records=5,
    entitled_bytes=50,
    delivered_records=5,
    delivered_bytes=50,
    metered_records=5,
    metered_bytes=50,
    billed_records=5,
    billed_bytes=50,
)


def report(count: SubscriptionCount, *chain_only: Range) -> Report:
    """A report without differences."""
    return Report(
        products=(),
        subscriptions=(count,),
        segments=1,
        invoices=0,
        differences=(),
        differences_total=0,
        undeliverable=(),
        chain_only=chain_only,
        gaps=(),
        unbilled=(),
    )


def gone(subscription: str | None) -> Range:
    """Offsets of which something is chain only."""
    return Range(
        product=PRODUCT,
        partition=0,
        subscription=subscription,
        first_offset=0,
        next_offset=2,
        why="retention",
        records=2,
    )


def test_equal_counts_agree() -> None:
    """Four equal counts and no difference."""
    assert report(COUNT).agrees


@pytest.mark.parametrize("count", ["entitled", "delivered", "metered", "billed"])
@pytest.mark.parametrize("unit", ["records", "bytes"])
def test_one_count_off(count: str, unit: str) -> None:
    """One record or byte too many in one place disagrees, although no difference was found."""
    name = f"{count}_{unit}"
    off: dict[str, Any] = {name: getattr(COUNT, name) + 1}
    told = report(replace(COUNT, **off), gone(None), gone(BUYER))
    assert not told.agrees
    assert told.unexplained == (BUYER,)
    assert "DIFFERS  the counts of grid/forecast" in told.to_table()
    assert "the counts do not add up" in told.to_table()


@pytest.mark.parametrize(
    ("changes", "listed", "agrees"),
    [
        # the source of two records is gone
        ({"entitled_records": 3, "entitled_bytes": 30}, None, False),
        (
            {
                "entitled_records": 3,
                "entitled_bytes": 30,
                "unsourced_records": 2,
                "unsourced_bytes": 20,
            },
            None,
            True,
        ),
        # the same, but it is another list that says so
        (
            {
                "entitled_records": 3,
                "entitled_bytes": 30,
                "unsourced_records": 2,
                "unsourced_bytes": 20,
            },
            BUYER,
            False,
        ),
        # two delivered records are gone
        (
            {"delivered_records": 3, "delivered_bytes": 30, "lost_records": 2, "lost_bytes": 20},
            BUYER,
            True,
        ),
        (
            {"delivered_records": 3, "delivered_bytes": 30, "lost_records": 2, "lost_bytes": 20},
            "care/turbines",
            False,
        ),
        # one of three that are missing is explained by nothing
        (
            {"delivered_records": 2, "delivered_bytes": 20, "lost_records": 2, "lost_bytes": 20},
            BUYER,
            False,
        ),
        # what is chain only never excuses a bill
        ({"billed_records": 7, "lost_records": 2}, BUYER, False),
    ],
)
def test_chain_only_explains_itself_alone(
    *, changes: dict[str, Any], listed: str | None, agrees: bool
) -> None:
    """Chain only explains exactly the records that it counts, where its range is listed."""
    assert report(replace(COUNT, **changes), gone(listed)).agrees is agrees


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE usage SET records = records + 1",
        "UPDATE usage SET billed_bytes = billed_bytes - 1",
        "DELETE FROM usage",
    ],
)
def test_forgotten_difference(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """A recount that finds no difference, by whatever fault of its own, still does not agree."""
    exchange.produce(5)
    exchange.route()
    exchange.sql(f"{statement} WHERE subscription = :s", s=BUYER)

    def forget(_findings: Findings, _difference: Difference) -> None:
        """As if nobody had compared."""

    monkeypatch.setattr(Findings, "differ", forget)
    told = exchange.recount()
    assert told.differences_total == 0
    assert not told.agrees
    assert told.unexplained == (BUYER,)
