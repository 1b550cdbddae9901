"""`weir period` and `weir invoice`, through the client, over HTTP."""

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner, Result
from sqlalchemy import text

from broker.api.app import create_app
from broker.api.services import Services
from broker.billing.fee import set_operator_fee
from broker.billing.runner import settle_proven
from broker.cli import weir
from broker.control import tokens
from broker.domain.actor import OPERATOR
from broker.errors import InvalidFieldError
from broker.log.memory import MemoryLog

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
END = "2026-02-01T00:00:00+01:00"
PRICE = {"currency": "EUR", "model": "unit", "metric": "records", "unit_amount": "0.01"}


class Nobody:
    """Makes no SCRAM users: nothing here asks for one."""

    def set_password(self, principal: str, password: str) -> None:
        raise AssertionError(principal)


class Command:
    """`weir` as the holder of `windco`'s token."""

    def __init__(self, exchange: Any, environ: dict[str, str]) -> None:
        self.exchange = exchange
        self._environ = environ

    def __call__(self, *words: str) -> Result:
        return CliRunner(env=self._environ).invoke(weir, words, obj={})

    def json(self, *words: str) -> Any:
        result = self(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def command(exchange: Any) -> Iterator[Command]:
    """A served API with a subscription of 1,010 records in January."""
    grid = exchange.subscribe("meter", exchange.plan(PRICE), "2026-01-01T00:00:00+01:00")
    exchange.deliver("2026-01-10T12:00:00+01:00", 1010, to=grid)
    with exchange.sessions.begin() as session:
        _, secret = tokens.create(
            session, "windco", name="t", expires_at=None, by=OPERATOR, now=NOW
        )
    app = create_app(
        Services(
            sessions=exchange.sessions,
            clock=lambda: NOW,
            log=MemoryLog(lambda: 0),
            credentials=Nobody(),
            operator_sha256=None,
        )
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    environ = {
        "WEIR_API_URL": f"http://127.0.0.1:{listener.getsockname()[1]}",
        "WEIR_TOKEN": secret,
    }
    yield Command(exchange, environ)
    server.should_exit = True
    thread.join(30)
    listener.close()


def test_from_close_to_payout(command: Command) -> None:
    """Close, see what is missing, then the invoice and what the seller is owed."""
    asked = command.json("period", "close", "windco/wind", "--end", END, "--wait-s", "0")
    assert [one["partition"] for one in asked["missing"]] == [0, 1]
    told = command("period", "show", "windco/wind")
    assert "partition 1: has no segment yet" in told.output
    command.exchange.prove(END)
    settle_proven(command.exchange.sessions, clock=lambda: NOW)
    assert "proven and billed" in command("period", "show", "windco/wind", "--end", END).output
    [invoice] = command.json("invoice", "list", "--product", "windco/wind")
    assert (invoice["number"], invoice["total"]) == ("WINDCO-2026-000001", "10.10")
    assert command.json("invoice", "show", "WINDCO-2026-000001") == invoice
    shown = command("invoice", "show", invoice["id"]).output
    assert "1,010 records" in shown
    assert "10.10" in shown
    assert "WINDCO-2026-000001" in command("invoice", "list").output
    [payout] = command.json("invoice", "payouts")
    assert payout == {"seller": "windco", "currency": "EUR", "amount": "9.60", "invoices": 1}
    assert "windco  9.60    EUR       1" in command("invoice", "payouts").output


def test_the_fee_is_shown_and_the_operator_s_to_set(command: Command) -> None:
    """A seller reads the fee; setting it, it is told who may."""
    assert "5.00 % of the net sum, from the beginning" in command("fee", "show").output
    refused = command("fee", "set", "--basis-points", "250")
    assert "only the operator sets it" in str(refused.exception)
    with command.exchange.sessions.begin() as session:
        set_operator_fee(session, 205, by=OPERATOR, now=NOW)
    assert "2.05 % of the net sum, since 2026-02-01T12:00:00" in command("fee", "show").output
    assert command.json("fee", "show")["changed_by"] == "operator"


def test_a_bill_is_recounted(command: Command, tmp_path: Path) -> None:
    """`--rate-document` prints what `weir rate` makes the same lines and total of."""
    command("period", "close", "windco/wind", "--end", END, "--wait-s", "0")
    command.exchange.prove(END)
    settle_proven(command.exchange.sessions, clock=lambda: NOW)
    [invoice] = command.json("invoice", "list")
    told = command("invoice", "show", invoice["number"], "--rate-document")
    assert told.exit_code == 0, told.output
    path = tmp_path / "doc.json"
    path.write_text(told.stdout)
    rated = json.loads(command("rate", str(path)).stdout)
    assert (rated["lines"], rated["total"]) == (invoice["lines"], invoice["total"])
    assert rated["name"] == invoice["number"]
    assert "0.01" in command("plan", "show", "windco/basic", "--version", "1").output


def test_an_invoice_says_what_a_clerk_asks(command: Command) -> None:
    """Issue date, prices, activation, what is to come, and which invoice was taken off."""
    exchange = command.exchange
    taxed = PRICE | {"tax": {"mode": "exclusive", "percentage": "20"}}
    grid = exchange.subscribe("late", exchange.plan(taxed), "2026-01-05T12:00:00+01:00")
    exchange.deliver("2026-01-11T12:00:00+01:00", 100, to=grid)
    [early] = [
        one for one in exchange.close("2026-01-12T00:00:00+01:00") if one.subscription == grid
    ]
    [rest] = [one for one in exchange.close(END) if one.subscription == grid]
    first = command("invoice", "show", early.number).output
    for said in (
        "issued 2026-01-1",
        "weir plan show windco/basic --version 2",
        "period 2025-12-31T23:00:00.000+00:00 to 2026-01-31T23:00:00.000+00:00",
        "subscription active from 2026-01-05T11:00:00.000+00:00",
        "interim: billed up to 2026-01-11T23:00:00.000+00:00; the period goes on",
        "total with tax (net 1.00)",
        "--rate-document",
    ):
        assert said in first
    second = command("invoice", "show", rest.number).output
    assert f"already billed ({early.number})" in second
    assert "interim" not in second


def test_a_bill_that_nobody_can_rate_is_shown(command: Command) -> None:
    """Where history tells no more what it was rated from, the invoice is printed, and why so."""
    exchange = command.exchange
    [invoice] = exchange.close(END)
    with exchange.sessions.begin() as session:
        session.execute(text("UPDATE subscription_history SET at = at + interval '1 second'"))
    told = command("invoice", "show", invoice.number)
    assert told.exit_code == 0, told.output
    assert "1,010 records" in told.output
    assert "10.10" in told.output
    assert "no document for `weir rate`: invoice" in told.output
    assert "history no longer tells what it was rated from" in told.output
    refused = command("invoice", "show", invoice.number, "--rate-document")
    assert "history no longer tells" in str(refused.exception)
    with exchange.sessions.begin() as session:
        session.execute(text("UPDATE subscription_history SET at = at - interval '1 second'"))


def test_a_bill_without_an_active_day_says_so(command: Command) -> None:
    """Late usage after the end: the invoice says that nothing prorated is in it."""
    exchange = command.exchange
    flat = {"model": "flat", "amount": "9"}
    unit = {name: one for name, one in PRICE.items() if name != "currency"}
    price = {"currency": "EUR", "components": [flat, unit]}
    grid = exchange.subscribe("late", exchange.plan(price), "2026-01-05T12:00:00+01:00")
    exchange.change(grid, "revoke", "2026-01-31T23:59:59+01:00")
    exchange.deliver("2026-02-01T00:00:10+01:00", 7, to=grid)
    invoices = exchange.close("2026-03-01T00:00:00+01:00")
    [late] = [one for one in invoices if one.subscription == grid and one.records]
    told = command("invoice", "show", late.number).output
    assert "no day was active, so what is prorated costs 0" in told
    document = json.loads(command("invoice", "show", late.number, "--rate-document").stdout)
    assert document["price"]["components"][0] == flat | {"amount": "0"}


def test_waiting_for_a_bill(command: Command) -> None:
    """A close that is not proven in time exits 1 and names what is missing; a billed one 0."""
    late = command("period", "close", "windco/wind", "--end", END, "--wait-s", "0.1")
    assert late.exit_code == 1
    assert "partition 1: has no segment yet" in late.output
    command.exchange.prove(END)
    settle_proven(command.exchange.sessions, clock=lambda: NOW)
    assert command("period", "close", "windco/wind", "--end", END).exit_code == 0


def test_drafts_are_finalised(command: Command) -> None:
    """A close with --draft leaves drafts, which `finalise` issues."""
    words = ("period", "close", "windco/wind", "--end", "now", "--draft", "--wait-s", "0")
    command.json(*words)
    command.exchange.prove(NOW.isoformat())
    settle_proven(command.exchange.sessions, clock=lambda: NOW)
    drafts = command.json("invoice", "list", "--state", "draft")
    assert {draft["number"] for draft in drafts} == {None}
    assert drafts[0]["id"] in command("invoice", "list").output
    issued = command.json("invoice", "finalise", drafts[0]["id"])
    assert issued["number"] == "WINDCO-2026-000001"


def test_another_token(command: Command, tmp_path: Path) -> None:
    """`--token-file` says who asks, before the environment; what it holds is shown nowhere."""
    exchange = command.exchange
    with exchange.sessions.begin() as session:
        _, secret = tokens.create(
            session, "stranger", name="t", expires_at=None, by=OPERATOR, now=NOW
        )
    path = tmp_path / "stranger.token"
    path.write_text(f"{secret}\n")
    asked = command("period", "close", "windco/wind", "--token-file", str(path))
    assert "product windco/wind" in str(asked.exception)
    path.write_text("wrong")
    refused = command("invoice", "list", "--token-file", str(path))
    assert "token" in str(refused.exception)
    assert "wrong" not in str(refused.exception)


def test_what_is_asked_wrongly(command: Command) -> None:
    """A faulty end, the future, an absent close and an absent invoice are named."""
    for words, rule in {
        ("period", "close", "windco/wind", "--end", "soon"): "end: must be now or a moment",
        ("period", "close", "windco/wind", "--end", "2026-02-01"): "must say its offset",
        ("period", "close", "windco/wind", "--end", "2026-02-02T00:00:00Z"): "in the future",
        ("period", "close", "windco/solar"): "windco/solar",
        ("period", "show", "windco/wind"): "period close windco/wind",
        ("invoice", "show", "nothing"): "invoice nothing",
    }.items():
        error = command(*words).exception
        assert rule in str(error), words
        assert getattr(error, "exit_code", None) == InvalidFieldError.exit_code
