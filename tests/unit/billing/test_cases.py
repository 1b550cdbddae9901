"""The worked cases of the price format, and the faulty documents it names."""

import json
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from broker.billing.case import rate_case
from broker.cli.rate import rate

HERE = Path(__file__).parent


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text().splitlines()]


def document(row: dict[str, Any]) -> bytes:
    return json.dumps(
        {key: row[key] for key in ("name", "price", "usage", "context") if key in row}
    ).encode()


@pytest.mark.parametrize("row", rows("cases.jsonl"), ids=lambda row: row["name"])
def test_worked_case(row: dict[str, Any]) -> None:
    """A worked case gives its total, its lines, and lines that add up to the total."""
    result = rate_case(document(row))
    with localcontext(prec=100):
        assert Decimal(result["total"]) == Decimal(row["expect"]["total"])
        amounts = [Decimal(line["amount"]) for line in result["lines"]]
        assert sum(amounts, Decimal(0)) == Decimal(result["total"])
        for description, expected in row["expect"].get("lines", {}).items():
            matching = [
                Decimal(line["amount"])
                for line in result["lines"]
                if line["description"] == description
            ]
            assert sum(matching, Decimal(0)) == Decimal(expected)
    assert result["currency"] == row["price"]["currency"]


@pytest.mark.parametrize("row", rows("bad.jsonl"), ids=lambda row: row["name"])
def test_faulty_case(row: dict[str, Any]) -> None:
    """A faulty document is refused by the name of its field."""
    error = rate_case(document(row))["error"]
    assert error["field"] == row["field"]
    assert error["message"]


def test_faulty_documents_do_not_stop_the_others(tmp_path: Path) -> None:
    """Every document of a file gets its line, and one that is faulty makes the exit code 2."""
    good = {"name": "good", "price": {"currency": "EUR", "model": "flat", "amount": "1"}}
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b"{not json\n\n\xff\n" + json.dumps(good).encode() + b"\r\n")
    result = CliRunner().invoke(rate, ["--cases", str(path)])
    lines = [json.loads(line) for line in result.output.splitlines()]
    assert [(line["name"], line.get("total")) for line in lines] == [
        (None, None),
        (None, None),
        ("good", "1.00"),
    ]
    assert [line["error"]["field"] for line in lines[:2]] == ["", ""]
    assert result.exit_code == 2


def test_one_document_of_several_lines(tmp_path: Path) -> None:
    """`weir rate FILE.json` reads one document, however it is laid out, and exits 0."""
    path = tmp_path / "price.json"
    price = {"currency": "EUR", "model": "flat", "amount": "1"}
    path.write_text(json.dumps({"name": "x", "price": price}, indent=2))
    result = CliRunner().invoke(rate, [str(path)])
    assert result.exit_code == 0
    assert json.loads(result.output)["total"] == "1.00"


@pytest.mark.parametrize("both", [[], ["FILE", "--cases", "FILE"]])
def test_needs_exactly_one_file(both: list[str], tmp_path: Path) -> None:
    """Without a file, or with two, the command says how it is called."""
    path = tmp_path / "x"
    path.write_text("{}")
    result = CliRunner().invoke(rate, [str(path) if word == "FILE" else word for word in both])
    assert result.exit_code == 2
    assert "name one file" in result.output
