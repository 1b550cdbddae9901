"""`/v1`: closing a period, invoices, payouts, as seller, buyer, operator and stranger."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from broker.api.app import create_app
from broker.api.services import Services
from broker.billing.runner import settle_proven
from broker.control import tokens
from broker.domain.actor import OPERATOR
from broker.log.memory import MemoryLog

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
END_MS = 1_769_900_400_000  # 2026-02-01 in Berlin
PRICE = {
    "currency": "EUR",
    "model": "unit",
    "metric": "records",
    "unit_amount": "0.125",
    "tax": {"mode": "exclusive", "percentage": "20"},
}
CLOSES = "/v1/products/windco/wind/closes"


class Nobody:
    """Makes no SCRAM users: nothing here asks for one."""

    def set_password(self, principal: str, password: str) -> None:
        raise AssertionError(principal)


class Callers:
    """Clients of one app, by organisation."""

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange
        app = create_app(
            Services(
                sessions=exchange.sessions,
                clock=lambda: NOW,
                log=MemoryLog(lambda: int(NOW.timestamp() * 1000)),
                credentials=Nobody(),
                operator_sha256=tokens.sha256("operator"),
            )
        )
        self.of = {"operator": TestClient(app, headers={"Authorization": "Bearer operator"})}
        for name in ("windco", "grid", "stranger"):
            with exchange.sessions.begin() as session:
                _, secret = tokens.create(
                    session, name, name="t", expires_at=None, by=OPERATOR, now=NOW
                )
            self.of[name] = TestClient(app, headers={"Authorization": f"Bearer {secret}"})

    def bill(self) -> dict[str, Any]:
        """January of one subscription with 3 records, closed by the seller: its invoice."""
        exchange = self.exchange
        grid = exchange.subscribe("meter", exchange.plan(PRICE), "2026-01-01T00:00:00+01:00")
        exchange.deliver("2026-01-10T12:00:00+01:00", 3, to=grid)
        assert self.of["windco"].post(CLOSES, json={"end_ms": END_MS}).status_code == 201
        exchange.prove("2026-02-01T00:00:00+01:00")
        settle_proven(exchange.sessions, clock=lambda: NOW)
        [invoice] = self.of["windco"].get("/v1/invoices").json()["items"]
        return dict(invoice)


@pytest.fixture
def callers(exchange: Any) -> Iterator[Callers]:
    """Seller `windco`, buyer `grid`, `stranger` and `operator`."""
    made = Callers(exchange)
    yield made
    for client in made.of.values():
        client.close()


def test_a_close_shows_what_it_waits_for(callers: Callers) -> None:
    """The seller asks for a close, sees which partitions are missing, then that it was billed."""
    windco = callers.of["windco"]
    asked = windco.post(CLOSES, json={"end_ms": END_MS})
    assert asked.status_code == 201
    assert asked.headers["Location"] == f"{CLOSES}/{END_MS}"
    shown = windco.get(f"{CLOSES}/{END_MS}").json()
    assert not shown["complete"]
    assert [one["partition"] for one in shown["missing"]] == [0, 1]
    callers.exchange.prove("2026-02-01T00:00:00+01:00")
    settle_proven(callers.exchange.sessions, clock=lambda: NOW)
    shown = windco.get(f"{CLOSES}/{END_MS}").json()
    assert shown["complete"]
    assert shown["close"]["settled_at"] == "2026-02-01T12:00:00Z"


def test_a_close_without_an_end_is_now(callers: Callers) -> None:
    """Without an end the close is at the server's present; the list pages, latest first."""
    windco = callers.of["windco"]
    for end_ms in (END_MS, None, END_MS - 1):
        assert windco.post(CLOSES, json={"end_ms": end_ms}).status_code == 201
    first = windco.get(CLOSES, params={"limit": 2}).json()
    rest = windco.get(CLOSES, params={"limit": 2, "cursor": first["next_cursor"]}).json()
    ends = [one["end_ms"] for one in [*first["items"], *rest["items"]]]
    assert ends == [int(NOW.timestamp() * 1000), END_MS, END_MS - 1]
    assert rest["next_cursor"] is None


def test_a_faulty_close_is_refused(callers: Callers) -> None:
    """A faulty body is refused by its field."""
    bodies: list[tuple[dict[str, Any], str]] = [
        ({"end_ms": 9_000_000_000_000}, "end_ms"),  # not yet
        ({"end_ms": 0}, "end_ms"),
        ({"end_ms": "now"}, "end_ms"),
        ({"end_ms": 1.5}, "end_ms"),
        ({"end": END_MS}, "end"),
        ({"finalise": 1}, "finalise"),
    ]
    answers = [callers.of["windco"].post(CLOSES, json=body) for body, _ in bodies]
    assert [(answer.status_code, answer.json()["field"]) for answer in answers] == [
        (422, field) for _, field in bodies
    ]


def test_an_invoice_in_full(callers: Callers) -> None:
    """Decimals as strings, lines that add up, a number, the period."""
    invoice = callers.bill()
    assert invoice["lines"] == [
        {"description": "records", "quantity": "3", "amount": "0.38"},
        {"description": "tax", "quantity": "1", "amount": "0.08"},
    ]
    assert (invoice["net"], invoice["tax"], invoice["total"]) == ("0.38", "0.08", "0.46")
    assert (invoice["currency"], invoice["state"]) == ("EUR", "finalised")
    assert (invoice["records"], invoice["billed_bytes"]) == (3, 300)
    assert (invoice["number"], invoice["period_end_ms"]) == ("WINDCO-2026-000001", END_MS)


def test_buyer_and_seller_see_the_same(callers: Callers) -> None:
    """Both sides and the operator read one invoice; for a stranger there is none."""
    invoice = callers.bill()
    for name in ("windco", "grid", "operator"):
        assert callers.of[name].get(f"/v1/invoices/{invoice['id']}").json() == invoice
        assert callers.of[name].get(f"/v1/invoices/{invoice['number']}").json() == invoice
    assert callers.of["stranger"].get("/v1/invoices").json()["items"] == []
    absent = callers.of["stranger"].get(f"/v1/invoices/{'0' * 8}")
    hidden = callers.of["stranger"].get(f"/v1/invoices/{invoice['id']}")
    assert hidden.status_code == absent.status_code == 404
    assert hidden.json()["detail"].replace(invoice["id"], "0" * 8) == absent.json()["detail"]


def test_a_rating_is_shown_to_those_who_see_the_invoice(callers: Callers) -> None:
    """Seller, buyer and operator read usage by day; to a stranger there is no such invoice."""
    path = f"/v1/invoices/{callers.bill()['number']}/rating"
    found = [callers.of[name].get(path).json() for name in ("windco", "grid", "operator")]
    assert found[0] == found[1] == found[2]
    used = dict(zip(found[0]["days"], found[0]["document"]["usage"], strict=True))
    assert len(used) == 31
    assert used["2026-01-10"] == {"records": 3, "bytes": 300}
    assert used["2026-01-11"] == {"records": 0, "bytes": 0}
    assert callers.of["stranger"].get(path).status_code == 404


def test_only_the_seller_closes(callers: Callers) -> None:
    """Another organisation's product cannot be closed, nor its closes seen: it does not exist."""
    for client in (callers.of["grid"], callers.of["stranger"]):
        assert client.post(CLOSES, json={}).status_code == 404
        assert client.get(CLOSES).status_code == 404
        assert client.get(f"{CLOSES}/{END_MS}").status_code == 404


def test_drafts_wait_for_their_seller(callers: Callers) -> None:
    """A close may leave drafts, which the seller finalises; the buyer may not."""
    exchange, windco = callers.exchange, callers.of["windco"]
    exchange.subscribe("meter", exchange.plan(PRICE), "2026-01-01T00:00:00+01:00")
    windco.post(CLOSES, json={"end_ms": END_MS, "finalise": False})
    exchange.prove("2026-02-01T00:00:00+01:00")
    settle_proven(exchange.sessions, clock=lambda: NOW)
    [draft] = windco.get("/v1/invoices", params={"state": "draft"}).json()["items"]
    path = f"/v1/invoices/{draft['id']}/finalise"
    assert callers.of["grid"].post(path).status_code == 409
    assert callers.of["stranger"].post(path).status_code == 404
    assert windco.post(path).json()["number"] == "WINDCO-2026-000001"
    assert windco.post(path).json()["number"] == "WINDCO-2026-000001"


def test_payouts(callers: Callers) -> None:
    """A seller sees what it is owed; a buyer is owed nothing."""
    callers.bill()
    expected = [{"seller": "windco", "currency": "EUR", "amount": "0.36", "invoices": 1}]
    assert callers.of["windco"].get("/v1/payouts").json()["items"] == expected
    assert callers.of["operator"].get("/v1/payouts").json()["items"] == expected
    assert callers.of["grid"].get("/v1/payouts").json()["items"] == []


def test_faulty_questions_are_refused(callers: Callers) -> None:
    """A faulty filter, cursor or path is refused by its name."""
    questions = {
        "/v1/invoices?state=paid": "state",
        "/v1/invoices?product=WIND": "product",
        "/v1/invoices?subscription=a%00/b": "subscription",
        "/v1/invoices?limit=0": "limit",
        "/v1/invoices?cursor=AAAA": "cursor",
        "/v1/invoices/a%20b": "invoice",
        "/v1/payouts?cursor=AAAA": "cursor",
        f"{CLOSES}/soon": "end_ms",
    }
    answers = {path: callers.of["windco"].get(path) for path in questions}
    assert {path: answer.json()["field"] for path, answer in answers.items()} == questions
    assert {answer.status_code for answer in answers.values()} == {422}


def test_the_operator_alone_sets_its_fee(callers: Callers) -> None:
    """Everybody sees the fee, since when and by whom; a seller may not set it."""
    first = callers.of["windco"].get("/v1/operator-fee")
    assert first.json() == {
        "basis_points": 500,
        "changed_at": None,
        "changed_by": None,
        "revision": 1,
    }
    change = {"basis_points": 250}
    assert callers.of["windco"].put("/v1/operator-fee", json=change).status_code == 403
    read = {"If-Match": first.headers["ETag"]}
    operator = callers.of["operator"]
    changed = [operator.put("/v1/operator-fee", json=change, headers=read) for _ in range(2)]
    assert [one.status_code for one in changed] == [200, 412]
    assert changed[0].json() == callers.of["grid"].get("/v1/operator-fee").json()
    assert (changed[0].json()["basis_points"], changed[0].json()["changed_by"]) == (250, "operator")
    callers.bill()
    [payout] = callers.of["windco"].get("/v1/payouts").json()["items"]
    assert payout["amount"] == "0.37"  # 0.38 less 0.0095, to the cent


@pytest.mark.parametrize("wrong", [-1, 10_001, 2.5, "250", None, True])
def test_a_fee_that_is_none(callers: Callers, wrong: Any) -> None:
    """The field is named, and the fee stays."""
    answer = callers.of["operator"].put("/v1/operator-fee", json={"basis_points": wrong})
    assert (answer.status_code, answer.json()["field"]) == (422, "basis_points")
    assert callers.of["grid"].get("/v1/operator-fee").json()["basis_points"] == 500
