"""The recount's own rating: the worked cases of the price format, for what can be invoiced."""

import json
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from broker.verify.rating import Bill, Usage, rate
from broker.verify.rounding import to_scale

CASES = [
    json.loads(line) for line in (Path(__file__).parent / "cases.jsonl").read_text().splitlines()
]


def splits(usage: Any) -> list[Usage]:
    rows = usage if isinstance(usage, list) else [usage]
    return [Usage(Fraction(r.get("records", 0)), Fraction(r.get("bytes", 0))) for r in rows]  # type: ignore[arg-type]  # some cases use parts of a record


def bill(case: dict[str, Any]) -> Bill:
    context = case.get("context", {})
    share = Fraction(1)
    if "period" in context:
        days = [
            date.fromisoformat(span["to"]) - date.fromisoformat(span["from"])
            for span in (context.get("active", context["period"]), context["period"])
        ]
        share = Fraction(days[0].days, days[1].days)
    before = context.get("already_billed")
    billed = None
    if before is not None:
        billed = (
            Fraction(before["amount"])
            if "amount" in before
            else rate(
                case["price"],
                splits(before["usage"]),
                share=share,
                final=before.get("final", False),
            ).subtotal
        )
    return rate(
        case["price"],
        splits(case.get("usage", {})),
        share=share,
        final=context.get("final", True),
        already_billed=billed,
    )


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_worked_case(case: dict[str, Any]) -> None:
    """A worked case comes out to the last digit, its lines adding up."""
    rated = bill(case)
    assert rated.total == Fraction(case["expect"]["total"])
    assert sum(line.amount for line in rated.lines) == rated.total
    for description, amount in case["expect"].get("lines", {}).items():
        found = sum(line.amount for line in rated.lines if line.description == description)
        assert found == Fraction(amount)


@pytest.mark.parametrize(
    ("mode", "tie", "below_zero", "above_the_tie"),
    [
        ("half_even", "0.12", "-0.12", "0.13"),
        ("half_up", "0.13", "-0.13", "0.13"),
        ("half_down", "0.12", "-0.12", "0.13"),
        ("up", "0.13", "-0.13", "0.13"),
        ("down", "0.12", "-0.12", "0.12"),
        ("ceiling", "0.13", "-0.12", "0.13"),
        ("floor", "0.12", "-0.13", "0.12"),
    ],
)
def test_rounding_modes(mode: str, tie: str, below_zero: str, above_the_tie: str) -> None:
    """Each mode treats a tie, the same below zero, and more than a tie as its name says."""
    for exact, rounded in (("0.125", tie), ("-0.125", below_zero), ("0.1251", above_the_tie)):
        assert to_scale(Fraction(exact), mode, 2) == Fraction(rounded)
