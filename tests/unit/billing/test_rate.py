"""Rating: a table for each model, then what must hold for any price."""

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.billing.case import rate_case
from broker.billing.context import Context, parse_context
from broker.billing.price import parse_price
from broker.billing.rate import Bill, rate
from broker.billing.usage import parse_usage

RECORDS = {"currency": "EUR", "metric": "records"}
HUNDRED = {"currency": "EUR", "model": "flat", "amount": "100"}


def bill(price: dict[str, Any], usage: Any = None, context: dict[str, Any] | None = None) -> Bill:
    parsed = parse_price(price)
    splits = () if usage is None else parse_usage(usage, "usage", parsed)
    return rate(parsed, splits, parse_context(context or {}, "context", parsed))


def total(price: dict[str, Any], usage: Any = None, context: dict[str, Any] | None = None) -> str:
    amount = bill(price, usage, context).total
    return f"{Decimal(amount.numerator) / amount.denominator:f}"


def lines(price: dict[str, Any], usage: Any, context: dict[str, Any] | None = None) -> list[str]:
    document = {"name": "x", "price": price, "usage": usage, "context": context or {}}
    result = rate_case(json.dumps(document).encode())
    return [f"{line['description']} {line['amount']}" for line in result["lines"]]


GRADUATED = {
    **RECORDS,
    "model": "graduated",
    "tiers": [
        {"up_to": "10", "unit_amount": "10", "flat_amount": "2"},
        {"up_to": None, "unit_amount": "5", "flat_amount": "3"},
    ],
}


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ("0", "2"),  # nothing used: the first tier is always reached, its flat amount is due
        ("10", "102"),  # the bound belongs to the lower tier
        ("10.5", "107.5"),  # no gap between the tiers
        ("11", "110"),  # one past it
    ],
)
def test_graduated_bounds(records: str, expected: str) -> None:
    """A graduated price bills each unit in the tier it falls into; a bound belongs to its tier."""
    assert total(GRADUATED, {"records": records}) == expected


BLOCKS = [
    {"up_to": "10", "unit_amount": "1", "block_size": "4"},
    {"up_to": None, "unit_amount": "2", "block_size": "5"},
]


@pytest.mark.parametrize(
    ("model", "records", "expected"),
    [
        ("graduated", "0", "0"),  # no block begun
        ("graduated", "1", "1"),  # a block begun is a block
        ("graduated", "10", "3"),  # 4 + 4 + 2
        ("graduated", "11", "5"),  # and one block of the next tier
        ("volume", "10", "3"),
        ("volume", "11", "6"),  # all 11 in blocks of 5
    ],
)
def test_blocks(model: str, records: str, expected: str) -> None:
    """Blocks count in each tier for graduated, in the tier that is reached for volume."""
    assert total({**RECORDS, "model": model, "tiers": BLOCKS}, {"records": records}) == expected


STEPS = [{"up_to": "100", "flat_amount": "5"}, {"up_to": None, "flat_amount": "9"}]


@pytest.mark.parametrize(
    ("model", "usage", "expected"),
    [
        ("stairstep", {"records": "0"}, "5"),
        ("stairstep", {"records": "100"}, "5"),
        ("stairstep", [{"records": "60"}, {"records": "60"}], "9"),  # the sum is past the bound
        ("capacity", [{"records": "60"}, {"records": "60"}], "5"),  # no split is
        ("capacity", [{"records": "60"}, {"records": "101"}], "9"),
    ],
)
def test_steps(model: str, usage: Any, expected: str) -> None:
    """A stairstep looks at the sum of the splits, a capacity at the largest."""
    assert total({**RECORDS, "model": model, "tiers": STEPS}, usage) == expected


@pytest.mark.parametrize(
    ("extra", "records", "expected"),
    [
        ({}, "7", "7"),
        ({"free_units": "5"}, "7", "2"),
        ({"free_units": "5"}, "3", "0"),  # never below zero
        ({"free_units": "5", "minimum_quantity": "4"}, "7", "4"),  # counted after free units
        ({"minimum_quantity": "4"}, "0", "4"),
        ({"minimum_quantity": "4", "zero_usage_policy": "waive"}, "0", "0"),
        ({"conversion": {"divide_by": "2", "round": "up"}, "free_units": "1"}, "7", "3"),
        ({"conversion": {"divide_by": "2", "round": "down"}}, "7", "3"),
        ({"conversion": {"divide_by": "2", "round": "half_up"}}, "5", "3"),
        ({"conversion": {"divide_by": "2", "round": "half_even"}}, "5", "2"),
        # metered, not converted, decides what is zero
        ({"conversion": {"divide_by": "10", "round": "down"}, "minimum_quantity": "1",
          "zero_usage_policy": "waive"}, "3", "1"),
    ],
)  # fmt: skip
def test_billed_quantity(extra: dict[str, Any], records: str, expected: str) -> None:
    """Converted first, then free units, then the minimum."""
    price = {**RECORDS, "model": "unit", "unit_amount": "1", **extra}
    assert total(price, {"records": records}) == expected


@pytest.mark.parametrize(
    ("price", "transactions", "expected"),
    [
        ({}, ["100", "50"], "15"),
        ({"free_events": 1}, ["100", "50"], "5"),
        ({"free_events": 0}, ["100"], "10"),
        ({"free_events": 9}, ["100", "50"], "0"),
        ({"free_amount": "120"}, ["100", "50"], "3"),  # 20 of the 50 are free
        ({"free_amount": "120", "fixed_amount": "1"}, ["100", "50"], "4"),  # a free one costs 0
        ({"free_amount": "120", "free_events": 1}, ["100", "50"], "5"),  # the smaller holds
        ({"free_amount": "50", "free_events": 2}, ["100", "50"], "10"),
        ({"transaction_minimum": "7"}, ["100", "50"], "17"),
        ({"transaction_maximum": "7"}, ["100", "50"], "12"),
        ({"fixed_amount": "1"}, [], "0"),
    ],
)
def test_percentage(price: dict[str, Any], transactions: list[str], expected: str) -> None:
    """A percentage looks at each transaction: allowances, then share, fixed amount, bounds."""
    whole = {"currency": "EUR", "model": "percentage", "percentage": "10", **price}
    assert total(whole, {"transactions": transactions}) == expected
    assert total(whole, [{"transactions": [value]} for value in transactions] or [
        {"transactions": []}
    ]) == expected  # fmt: skip


def test_percentage_of_a_sum() -> None:
    """Without anything that looks at one transaction, the sum of their amounts will do."""
    price = {"currency": "EUR", "model": "percentage", "percentage": "1.3"}
    assert total(price, [{"amount": "100"}, {"transactions": ["50", 50]}]) == "2.6"


def test_dynamic() -> None:
    """A dynamic price multiplies reported money, after free units."""
    price = {"currency": "EUR", "model": "dynamic", "multiplier": "1.5", "free_units": "10"}
    assert total(price, {"amount": "100"}) == "135"


def test_separate_splits() -> None:
    """Separate splits are converted, given their allowance and rounded each alone."""
    price = {
        **RECORDS,
        "model": "unit",
        "unit_amount": "1",
        "conversion": {"divide_by": "1000", "round": "up"},
    }
    usage = [{"records": 1400}, {"records": 1300}]
    assert total(price, usage) == "3"
    assert total({**price, "splits": "separate"}, usage) == "4"
    flat = {"currency": "EUR", "splits": "separate", "model": "flat", "amount": "9"}
    assert total(flat, [{}, {}]) == "9"


def test_example_with_tax() -> None:
    """The format's second example: access for 14 of 29 days, GiB beyond the free ones, tax."""
    price = {
        "currency": "EUR",
        "components": [
            {"name": "access", "model": "flat", "amount": "29.00"},
            {"model": "unit", "metric": "GiB", "unit_amount": "0.10", "free_units": "5"},
        ],
        "tax": {"mode": "exclusive", "percentage": "19"},
    }
    context = {
        "period": {"from": "2024-02-01", "to": "2024-03-01"},
        "active": {"from": "2024-02-16", "to": "2024-03-01"},
    }
    usage = {"bytes": 41 * 2**29}
    assert lines(price, usage, context) == ["access 14.00", "GiB 1.55", "tax 2.95"]
    assert total(price, usage, context) == "18.5"


@pytest.mark.parametrize(("scope", "expected"), [("tier", "0"), ("line", "0.01")])
def test_rounding_scope(scope: str, expected: str) -> None:
    """Three tiers of one unit at 0.004: rounded one by one 0.00, as a line 0.01."""
    tiers = [{"up_to": bound, "unit_amount": "0.004"} for bound in ("1", "2", None)]
    price = {**RECORDS, "model": "graduated", "tiers": tiers, "rounding": {"scope": scope}}
    assert total(price, {"records": 3}) == expected


def test_minimum_waits_for_the_end() -> None:
    """A minimum commitment is due in the final bill, prorated by active days."""
    price = {**HUNDRED, "amount": "1", "minimum_commitment": {"amount": "31"}}
    january = {"from": "2025-01-01", "to": "2025-02-01"}
    last_ten = {"from": "2025-01-22", "to": "2025-02-01"}
    assert total(price, None, {"final": False}) == "1"
    assert total(price, None, {"period": january, "active": last_ten}) == "10"


def test_bill_parts() -> None:
    """Net and tax make the total; an inclusive price contains its tax."""
    exclusive = bill({**HUNDRED, "tax": {"mode": "exclusive", "percentage": "19"}})
    assert (exclusive.net, exclusive.tax, exclusive.total) == (100, 19, 119)
    inclusive = bill({**HUNDRED, "amount": "119", "tax": {"mode": "inclusive", "percentage": "19"}})
    assert (inclusive.net, inclusive.tax, inclusive.total) == (100, 19, 119)
    assert inclusive.subtotal == 119


def test_credit_below_zero() -> None:
    """Late usage that reaches a cheaper volume tier gives money back, tax with it."""
    price = {
        **RECORDS,
        "model": "volume",
        "tiers": [{"up_to": "10", "unit_amount": "2"}, {"up_to": None, "unit_amount": "1"}],
        "tax": {"mode": "exclusive", "percentage": "10"},
    }
    context = {"already_billed": {"usage": {"records": 10}}}
    assert lines(price, {"records": 11}, context) == [
        "records 11.00",
        "already billed -20.00",
        "tax -0.90",
    ]


# What must hold for any price: decimals small enough to read when a case fails.
AMOUNTS = st.decimals(0, 100, places=3).map(lambda value: f"{value:f}")
QUANTITIES = st.integers(0, 500)
BOUNDS = st.lists(st.integers(1, 400), max_size=4, unique=True).map(sorted)


@st.composite
def tiers(draw: st.DrawFn) -> list[dict[str, Any]]:
    bounds: list[str | None] = [str(bound) for bound in draw(BOUNDS)]
    return [
        {"up_to": bound, "unit_amount": draw(AMOUNTS), "flat_amount": draw(AMOUNTS)}
        for bound in [*bounds, None]
    ]


@st.composite
def prices(draw: st.DrawFn) -> dict[str, Any]:
    def component(name: str) -> dict[str, Any]:
        common = {"name": name, "metric": "records", "free_units": str(draw(st.integers(0, 9)))}
        model = draw(st.sampled_from(["flat", "unit", "package", "graduated", "volume"]))
        match model:
            case "flat":
                return {"model": model, "name": name, "amount": draw(AMOUNTS)}
            case "unit":
                return {**common, "model": model, "unit_amount": draw(AMOUNTS)}
            case "package":
                return {
                    **common,
                    "model": model,
                    "package_size": "7",
                    "package_amount": draw(AMOUNTS),
                }
        return {
            **common,
            "model": model,
            "tiers": draw(tiers()),
            "conversion": {"divide_by": draw(st.sampled_from(["1", "3", "7.5"]))},
        }

    price: dict[str, Any] = {
        "currency": draw(st.sampled_from(["EUR", "JPY", "KWD"])),
        "components": [component(name) for name in ("one", "two", "three")],
        "splits": draw(st.sampled_from(["cumulative", "separate"])),
        "rounding": {
            "scope": draw(st.sampled_from(["line", "tier", "invoice"])),
            "mode": draw(st.sampled_from(["half_even", "half_up", "up", "down", "floor"])),
        },
    }
    if draw(st.booleans()):
        price["minimum_commitment"] = {"amount": "50"}
    if draw(st.booleans()):
        price["maximum_spend"] = "900"
    if draw(st.booleans()):
        price["tax"] = {
            "mode": draw(st.sampled_from(["exclusive", "inclusive"])),
            "percentage": "19",
            "scope": draw(st.sampled_from(["invoice", "line"])),
        }
    return price


@settings(deadline=None)  # a busy machine is no failure
@given(price=prices(), splits=st.lists(QUANTITIES, min_size=1, max_size=4))
def test_lines_add_up(price: dict[str, Any], splits: list[int]) -> None:
    """The lines add up to the total, as written, which has the scale's digits; net + tax too."""
    usage = [{"records": records} for records in splits]
    result = rate_case(json.dumps({"name": "x", "price": price, "usage": usage}).encode())
    amounts = [Decimal(line["amount"]) for line in result["lines"]]
    assert sum(amounts, Decimal(0)) == Decimal(result["total"])
    whole = bill(price, usage)
    assert whole.net + whole.tax == whole.total
    assert (whole.total * 10**whole.scale).denominator == 1


@settings(deadline=None)  # a busy machine is no failure
@given(price=prices(), before=QUANTITIES, after=QUANTITIES, final=st.booleans())
def test_late_usage_costs_the_difference(
    *, price: dict[str, Any], before: int, after: int, final: bool
) -> None:
    """What is billed late is rate(all) less rate(billed before), to the last digit, before tax."""
    price.pop("tax", None)
    earlier, whole = {"records": before}, {"records": before + after}
    first = bill(price, earlier, {"final": final})
    late = bill(price, whole, {"already_billed": {"usage": earlier, "final": final}})
    assert first.total + late.total == bill(price, whole).total


@settings(deadline=None)  # a busy machine is no failure
@given(tiers=tiers(), records=QUANTITIES)
def test_graduated_is_the_sum_of_its_tiers(tiers: list[dict[str, Any]], records: int) -> None:
    """Graduated, unit by unit: each costs what its tier says, each tier begun its flat amount."""
    price = {**RECORDS, "model": "graduated", "tiers": tiers, "rounding": {"scale": 12}}
    bounds = [int(tier["up_to"]) if tier["up_to"] else 10**9 for tier in tiers]
    expected = Fraction(tiers[0]["flat_amount"])
    for tier, below in zip(tiers[1:], bounds, strict=False):
        if records > below:
            expected += Fraction(tier["flat_amount"])
    for unit in range(1, records + 1):
        tier = next(tier for tier, bound in zip(tiers, bounds, strict=True) if unit <= bound)
        expected += Fraction(tier["unit_amount"])
    assert bill(price, {"records": records}).total == expected


def test_context_without_a_period_prorates_nothing() -> None:
    """Without a period the active share is 1."""
    assert Context().share == 1
