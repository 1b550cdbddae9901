"""What a document may not hold, each refused by the name of the field as it was written."""

import json
from typing import Any

import pytest

from broker.billing.case import rate_case
from broker.billing.price import parse_price
from broker.billing.publish import check_publishable
from broker.errors import InvalidFieldError

UNIT = {"currency": "EUR", "model": "unit", "metric": "records", "unit_amount": "1"}
FLAT = {"currency": "EUR", "model": "flat", "amount": "31"}
MONEY = {"currency": "EUR", "model": "percentage", "percentage": "1"}
OPEN = {"up_to": None, "unit_amount": "1"}
YEAR = {"from": "2025-01-01", "to": "2026-01-01"}


def graduated(*tiers: Any) -> dict[str, Any]:
    price = {key: value for key, value in UNIT.items() if key != "unit_amount"}
    return {**price, "model": "graduated", "tiers": list(tiers)}


def several(*components: Any) -> dict[str, Any]:
    return {"currency": "EUR", "components": list(components)}


def field_of(text: str | bytes) -> str:
    result = rate_case(text.encode() if isinstance(text, str) else text)
    assert "error" in result, result
    return result["error"]["field"]


FLAT_PART = {"model": "flat", "amount": "1"}

PRICES = [
    # shape
    ([], "price"),
    (None, "price"),
    ("EUR", "price"),
    ({}, "price.model"),
    ({"currency": "EUR"}, "price.model"),
    ({**UNIT, "model": None}, "price.model"),
    ({**UNIT, "model": ["unit"]}, "price.model"),
    ({**UNIT, "components": [FLAT_PART]}, "price.model"),
    ({**several(FLAT_PART), "metric": "records"}, "price.metric"),
    (several(), "price.components"),
    (several(*[{**FLAT_PART, "name": f"n{i}"} for i in range(33)]), "price.components"),
    ({"currency": "EUR", "components": FLAT_PART}, "price.components"),
    (several("flat"), "price.components[0]"),
    (several({**FLAT_PART, "currency": "EUR"}), "price.components[0].currency"),
    # names
    (several(FLAT_PART, FLAT_PART), "price.components[1].name"),
    (several(FLAT_PART, {**FLAT_PART, "name": "flat"}), "price.components[1].name"),
    ({**FLAT, "name": "Access"}, "price.name"),
    ({**FLAT, "name": "access "}, "price.name"),
    ({**FLAT, "name": "access\n"}, "price.name"),
    ({**FLAT, "name": "a" * 41}, "price.name"),
    ({**FLAT, "name": "maximum spend"}, "price.name"),
    ({**FLAT, "name": "tax"}, "price.name"),
    ({**FLAT, "name": None}, "price.name"),
    # currency
    ({"model": "flat", "amount": "1"}, "price.currency"),
    ({**UNIT, "currency": "eur"}, "price.currency"),
    ({**UNIT, "currency": "XXX"}, "price.currency"),
    ({**UNIT, "currency": 978}, "price.currency"),
    ({**UNIT, "currency": ["EUR"]}, "price.currency"),
    # decimals
    ({**UNIT, "unit_amount": 1}, "price.unit_amount"),
    ({**UNIT, "unit_amount": True}, "price.unit_amount"),
    ({**UNIT, "unit_amount": None}, "price.unit_amount"),
    ({**UNIT, "unit_amount": ""}, "price.unit_amount"),
    ({**UNIT, "unit_amount": "01"}, "price.unit_amount"),
    ({**UNIT, "unit_amount": ".5"}, "price.unit_amount"),
    ({**UNIT, "unit_amount": "5."}, "price.unit_amount"),
    ({**UNIT, "unit_amount": "+5"}, "price.unit_amount"),
    ({**UNIT, "unit_amount": " 5"}, "price.unit_amount"),
    ({**UNIT, "unit_amount": "5\n"}, "price.unit_amount"),
    ({**UNIT, "unit_amount": "1_000"}, "price.unit_amount"),
    ({**UNIT, "unit_amount": "\u0665"}, "price.unit_amount"),  # a digit, not one of ours
    ({**UNIT, "unit_amount": "\uff11"}, "price.unit_amount"),
    ({**UNIT, "unit_amount": "9" * 21}, "price.unit_amount"),
    ({**UNIT, "unit_amount": "0." + "1" * 19}, "price.unit_amount"),
    ({**UNIT, "unit_amount": "Infinity"}, "price.unit_amount"),
    # what belongs to another model
    ({**FLAT, "metric": "records"}, "price.metric"),
    ({**FLAT, "free_units": "1"}, "price.free_units"),
    ({**UNIT, "proration": "days"}, "price.proration"),
    ({**MONEY, "minimum_quantity": "1"}, "price.minimum_quantity"),
    ({**MONEY, "metric": "records"}, "price.metric"),
    (
        {
            "currency": "EUR",
            "model": "dynamic",
            "multiplier": "1",
            "conversion": {"divide_by": "2"},
        },
        "price.conversion",
    ),
    # metered
    ({key: value for key, value in UNIT.items() if key != "metric"}, "price.metric"),
    ({**UNIT, "metric": "gib"}, "price.metric"),
    ({**UNIT, "metric": "amount"}, "price.metric"),
    ({**UNIT, "conversion": {}}, "price.conversion.divide_by"),
    ({**UNIT, "conversion": None}, "price.conversion"),
    ({**UNIT, "conversion": {"divide_by": "0.000"}}, "price.conversion.divide_by"),
    ({**UNIT, "conversion": {"divide_by": "1", "round": "floor"}}, "price.conversion.round"),
    ({**UNIT, "zero_usage_policy": "skip"}, "price.zero_usage_policy"),
    # tiers
    (graduated(), "price.tiers"),
    (graduated(*[OPEN] * 101), "price.tiers"),
    (graduated(5), "price.tiers[0]"),
    (graduated({"unit_amount": "1"}), "price.tiers[0].up_to"),
    (graduated({"up_to": "0", "unit_amount": "1"}, OPEN), "price.tiers[0].up_to"),
    (graduated({"up_to": "1", "unit_amount": "1"}), "price.tiers[0].up_to"),
    (graduated({"up_to": "1", "unit_amount": "1"}, {"up_to": "1.0", "unit_amount": "1"}, OPEN),
     "price.tiers[1].up_to"),
    (graduated({"up_to": 10, "unit_amount": "1"}, OPEN), "price.tiers[0].up_to"),
    (graduated({"up_to": None}), "price.tiers[0].unit_amount"),
    (graduated({**OPEN, "flat_amount": None}), "price.tiers[0].flat_amount"),
    (graduated({**OPEN, "block_size": "0"}), "price.tiers[0].block_size"),
    (graduated({**OPEN, "from": "0"}), "price.tiers[0].from"),
    ({**graduated(OPEN), "model": "stairstep"}, "price.tiers[0].unit_amount"),
    ({**graduated({"up_to": None}), "model": "capacity"}, "price.tiers[0].flat_amount"),
    # packages, percentages
    (
        {"currency": "EUR", "model": "package", "metric": "records", "package_amount": "1",
         "package_size": "0"},
        "price.package_size",
    ),
    ({**MONEY, "free_events": -1}, "price.free_events"),
    ({**MONEY, "free_events": "1"}, "price.free_events"),
    ({**MONEY, "free_events": True}, "price.free_events"),
    ({**MONEY, "transaction_minimum": "2", "transaction_maximum": "1"},
     "price.transaction_maximum"),
    # of the whole price
    ({**UNIT, "rounding": {"scale": 13}}, "price.rounding.scale"),
    ({**UNIT, "rounding": {"scale": -1}}, "price.rounding.scale"),
    ({**UNIT, "rounding": {"scale": True}}, "price.rounding.scale"),
    ({**UNIT, "rounding": {"scale": "2"}}, "price.rounding.scale"),
    ({**UNIT, "rounding": {"scale": None}}, "price.rounding.scale"),
    ({**UNIT, "rounding": {"mode": "bankers"}}, "price.rounding.mode"),
    ({**UNIT, "rounding": {"scope": "unit"}}, "price.rounding.scope"),
    ({**UNIT, "rounding": None}, "price.rounding"),
    ({**UNIT, "splits": "daily"}, "price.splits"),
    ({**UNIT, "minimum_commitment": {}}, "price.minimum_commitment.amount"),
    ({**UNIT, "minimum_commitment": "5"}, "price.minimum_commitment"),
    ({**UNIT, "minimum_commitment": {"amount": "5"}, "maximum_spend": "4.99"},
     "price.maximum_spend"),
    ({**UNIT, "maximum_spend": 5}, "price.maximum_spend"),
    ({**UNIT, "tax": {"mode": "exclusive"}}, "price.tax.percentage"),
    ({**UNIT, "tax": {"percentage": "19"}}, "price.tax.mode"),
    ({**UNIT, "tax": {"mode": "exclusive", "percentage": "-1"}}, "price.tax.percentage"),
    ({**UNIT, "tax": {"mode": "exclusive", "percentage": "1", "scope": "tier"}}, "price.tax.scope"),
    ({**UNIT, "tax": None}, "price.tax"),
]  # fmt: skip


@pytest.mark.parametrize(("price", "field"), PRICES)
def test_price_is_refused(price: Any, field: str) -> None:
    """A faulty price is refused by its field, counted from the top."""
    document = {"name": "x", "price": price, "usage": {"records": "1", "amount": "1"}}
    assert field_of(json.dumps(document)) == field


@pytest.mark.parametrize(
    ("usage", "field"),
    [
        (None, "usage"),
        ([], "usage"),
        ({}, "usage.records"),
        ({"bytes": 1}, "usage.records"),
        ([{"records": 1}, {}], "usage[1].records"),
        ([{"records": 1}, 2], "usage[1]"),
        ({"records": 1.0}, "usage.records"),
        ({"records": 1e400}, "usage.records"),
        ({"records": -1}, "usage.records"),
        ({"records": 10**20}, "usage.records"),
        ({"records": int("9" * 50)}, "usage.records"),
        ({"records": False}, "usage.records"),
        ({"records": None}, "usage.records"),
        ({"records": "1e3"}, "usage.records"),
        ({"records": 1, "bytes": "x"}, "usage.bytes"),
        ({"records": 1, "GiB": "1"}, "usage.GiB"),
        ({"records": 1, "devices": [1]}, "usage.devices[0]"),
        ({"records": 1, "devices": ["a", ""]}, "usage.devices[1]"),
        ([{"records": 1, "devices": 2}, {"records": 1, "devices": ["a"]}], "usage[0].devices"),
        ({"records": 1, "amount": "1", "transactions": ["1"]}, "usage.transactions"),
        ({"records": 1, "transactions": ["1", -1]}, "usage.transactions[1]"),
        ({"records": 1, "transactions": "1"}, "usage.transactions"),
    ],
)
def test_usage_is_refused(usage: Any, field: str) -> None:
    """Faulty usage is refused by its field."""
    assert field_of(json.dumps({"name": "x", "price": UNIT, "usage": usage})) == field


@pytest.mark.parametrize(
    ("context", "field"),
    [
        (None, "context"),
        ({"now": "2025"}, "context.now"),
        ({"period": "2025"}, "context.period"),
        ({"period": {"from": "2025-01-01"}}, "context.period.to"),
        ({"period": {**YEAR, "from": "2025-02-29"}}, "context.period.from"),
        ({"period": {**YEAR, "from": "2025-1-1"}}, "context.period.from"),
        ({"period": {**YEAR, "from": "20250101"}}, "context.period.from"),
        ({"period": {**YEAR, "from": "2025-W01-1"}}, "context.period.from"),
        ({"period": {**YEAR, "from": "0000-01-01"}}, "context.period.from"),
        ({"period": {**YEAR, "from": "2025-01-0\u0661"}}, "context.period.from"),
        ({"period": {**YEAR, "to": "2025-01-01"}}, "context.period.to"),
        ({"active": YEAR}, "context.active"),
        ({"period": YEAR, "active": {**YEAR, "from": "2024-12-31"}}, "context.active.from"),
        ({"period": YEAR, "active": {**YEAR, "to": "2026-01-02"}}, "context.active.to"),
        ({"period": YEAR, "active": {**YEAR, "to": "2025-01-01"}}, "context.active.to"),
        (
            {"period": YEAR, "active": {"from": "2026-01-01", "to": "2026-01-02"}},
            "context.active.from",
        ),
        ({"final": "true"}, "context.final"),
        ({"final": None}, "context.final"),
        ({"already_billed": None}, "context.already_billed"),
        ({"already_billed": {}}, "context.already_billed"),
        ({"already_billed": {"amount": 1}}, "context.already_billed.amount"),
        ({"already_billed": {"amount": "--1"}}, "context.already_billed.amount"),
        ({"already_billed": {"amount": "1.000"}}, "context.already_billed.amount"),
        ({"already_billed": {"amount": "1", "final": True}}, "context.already_billed.final"),
        ({"already_billed": {"usage": {}}}, "context.already_billed.usage.records"),
        ({"already_billed": {"usage": {"records": 1}, "final": 1}}, "context.already_billed.final"),
    ],
)
def test_context_is_refused(context: Any, field: str) -> None:
    """A faulty context is refused by its field."""
    document = {"name": "x", "price": UNIT, "usage": {"records": 1}, "context": context}
    assert field_of(json.dumps(document)) == field


PRICE_TEXT = '"price": {"currency": "EUR", "model": "flat", "amount": "1"}'


@pytest.mark.parametrize(
    ("text", "field", "name"),
    [
        ("", "", None),
        ("weir", "", None),
        ("[]", "", None),
        ("null", "", None),
        ('"x"', "", None),
        ('{"name": "x"} {}', "", None),
        ("{" + PRICE_TEXT + "}", "name", None),
        ('{"name": 5, ' + PRICE_TEXT + "}", "name", None),
        ('{"name": "x"}', "price", "x"),
        ('{"name": "x", "name": "y", ' + PRICE_TEXT + "}", "name", None),
        ('{"name": "x", "expect": 1, ' + PRICE_TEXT + "}", "expect", "x"),
        ('{"name": "x", "usage": {}, "usage": {}, ' + PRICE_TEXT + "}", "usage", "x"),
        (
            '{"name": "x", "price": {"model": "flat", "amount": "1", "amount": "2"}}',
            "price.amount",
            "x",
        ),
        (
            '{"name": "x", "price": {"currency": "EUR", "model": "flat", "amount": NaN}}',
            "price.amount",
            "x",
        ),
        (
            '{"name": "x", "price": {"currency": "EUR", "model": "flat", "amount": 1e999}}',
            "price.amount",
            "x",
        ),
        (
            '{"name": "x", "usage": {"records": ' + "9" * 100_000 + "}, " + PRICE_TEXT + "}",
            "usage.records",
            "x",
        ),
        ('{"name": "x", "price": ' + "[" * 100_000 + "}", "", None),
        ('{"name": "x", "price": {"\\ud800": 1, "model": "flat"}}', "price.\ud800", "x"),
    ],
)
def test_document_is_refused(text: str, field: str, name: str | None) -> None:
    """A faulty document is refused by field, and keeps its name where that can be read."""
    result = rate_case(text.encode())
    assert (result["error"]["field"], result["name"]) == (field, name)
    json.dumps(result)


def test_usage_is_needed_where_the_price_counts() -> None:
    """A price that counts something is not rated without usage; a flat one is."""
    assert field_of(json.dumps({"name": "x", "price": UNIT})) == "usage"
    assert rate_case(json.dumps({"name": "x", "price": FLAT}).encode())["total"] == "31.00"


@pytest.mark.parametrize("extra", [{"fixed_amount": "1"}, {"free_events": 0}, {"free_amount": "1"}])
def test_percentage_needs_transactions(extra: dict[str, Any]) -> None:
    """A percentage that looks at each transaction cannot be rated from their sum."""
    document = {"name": "x", "price": {**MONEY, **extra}, "usage": {"amount": "100"}}
    assert field_of(json.dumps(document)) == "usage.transactions"


@pytest.mark.parametrize(
    ("price", "field"),
    [
        ({**UNIT, "metric": "devices"}, "price.metric"),
        (several(FLAT_PART, {**UNIT, "metric": "devices"}), "price.components[1].metric"),
        (MONEY, "price.model"),
        ({"currency": "EUR", "model": "dynamic", "multiplier": "1"}, "price.model"),
        (
            {**graduated({"up_to": None, "flat_amount": "1"}), "model": "stairstep"},
            "price.model",
        ),
        (
            {**graduated({"up_to": None, "flat_amount": "1"}), "model": "capacity"},
            "price.model",
        ),
        ({**UNIT, "rounding": {"scale": 3}}, "price.rounding.scale"),
        ({**UNIT, "currency": "JPY", "rounding": {"scale": 1}}, "price.rounding.scale"),
    ],
)
def test_publication_is_refused(price: dict[str, Any], field: str) -> None:
    """What cannot be metered or invoiced yet is rated, but not published."""
    if "components" in price:
        price = {**price, "components": [
            {key: value for key, value in part.items() if key != "currency"}
            for part in price["components"]
        ]}  # fmt: skip
    with pytest.raises(InvalidFieldError) as refused:
        check_publishable(parse_price(price))
    assert refused.value.field == field


@pytest.mark.parametrize(
    "price", [UNIT, FLAT, graduated(OPEN), {**UNIT, "metric": "GiB", "rounding": {"scale": 0}}]
)
def test_publication_is_allowed(price: dict[str, Any]) -> None:
    """Records, bytes and GiB under the first five models may be published."""
    check_publishable(parse_price(price))
