"""Prices and readings that the tests of billing share."""

from datetime import datetime
from typing import Any

UNIT = {"currency": "EUR", "model": "unit", "metric": "records", "unit_amount": "0.01"}
MONTHLY = {
    "currency": "EUR",
    "components": [{"name": "access", "model": "flat", "amount": "31.00"}, {
        "model": "unit", "metric": "records", "unit_amount": "0.01"}],
    "minimum_commitment": {"amount": "62.00"},
    "tax": {"mode": "exclusive", "percentage": "19"},
}  # fmt: skip


def ms(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp()) * 1000


def lines(invoice: Any) -> dict[str, str]:
    return {line.description: f"{line.amount:.2f}" for line in invoice.lines}
