"""`weir plan create`: a name is never given twice, so a faulty price must not use one up."""

import json
from pathlib import Path

import click
import httpx
import pytest

from broker.cli.calls import Call
from broker.cli.plan import create, draft
from broker.client import Client
from broker.client.errors import InvalidRequestError
from broker.errors import InvalidFieldError

GOOD = {"currency": "EUR", "model": "unit", "metric": "records", "unit_amount": "0.001"}
TERMS = {"period": "month", "time_zone": "UTC", "delivery_days": 7, "approval": "manual"}


class Api:
    """Names plans, refuses every version, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.asked.append(request.url.path)
        if request.url.path == "/v1/plans":
            return httpx.Response(
                201,
                json={
                    "id": "windco/basic",
                    "organisation": "windco",
                    "product": "windco/turbines",
                    "title": "Basic",
                    "created_at": "2026-03-01T12:00:00Z",
                    "created_by": "windco",
                    "revision": 1,
                },
            )
        return httpx.Response(
            422,
            json={"detail": "period.time_zone: unknown", "field": "period.time_zone"},
            headers={"Content-Type": "application/problem+json"},
        )


def run(api: Api, price: object, directory: Path, **given: str) -> None:
    """Type `weir plan create windco/basic` with this price, and these options."""
    file = directory / "price.json"
    file.write_text(json.dumps(price))
    verb = create.callback.__wrapped__  # type: ignore[union-attr]
    with Client("http://weir.test", "hush", http=httpx.MockTransport(api)) as client:
        call = Call(client, home=directory, as_json=False)
        terms = TERMS | {"price": file} | given
        verb(call, "windco/basic", product="windco/turbines", title="Basic", **terms)


@pytest.mark.parametrize(
    ("price", "field"),
    [
        (GOOD | {"unit_amuont": "1"}, "unit_amuont"),
        (GOOD | {"unit_amount": 0.001}, "unit_amount"),
        ([], "price"),
    ],
)
def test_faulty_price_names_no_plan(tmp_path: Path, price: object, field: str) -> None:
    """A faulty price is refused by its field's name, before the API is asked for anything."""
    api = Api()

    with pytest.raises(InvalidFieldError, match=field):
        run(api, price, tmp_path)

    assert api.asked == []


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"period": "31536000"}, "--period: must be whole seconds from 5 to 2678400, is 31536000"),
        ({"period": "1"}, "--period: must be whole seconds from 5 to 2678400, is 1"),
        ({"period": "9" * 5000}, "--period: must be month or whole seconds, is '999"),
        ({"period": "1.5"}, "--period: must be month or whole seconds, is '1.5'"),
        ({"time_zone": "Mars"}, "--time-zone: must be an IANA time zone"),
    ],
)
def test_faulty_period_names_no_plan(tmp_path: Path, given: dict[str, str], rule: str) -> None:
    """A faulty period is refused by its option and the rule, before the API is asked."""
    api = Api()

    with pytest.raises(InvalidFieldError, match=f"^{rule}"):
        run(api, GOOD, tmp_path, **given)

    assert api.asked == []


def test_plan_without_a_version_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the API refuses the version, the plan exists: what to type next is said."""
    with pytest.raises(InvalidRequestError, match="time_zone"):
        run(Api(), GOOD, tmp_path)

    assert click.unstyle(capsys.readouterr().err) == (
        f"the plan exists without a version: `weir plan draft windco/basic --price "
        f"{tmp_path / 'price.json'}`\n"
    )


BEFORE = {
    "plan": "windco/basic",
    "number": 1,
    "state": "published",
    "price": GOOD,
    "period": {"length_s": 60},
    "delivery_retention_ms": 86_400_000,
    "approval": "automatic",
    "terms": "as agreed",
    "created_at": "2026-03-01T12:00:00Z",
    "created_by": "windco",
    "published_at": "2026-03-01T12:00:00Z",
    "revision": 2,
}
KEPT = {name: BEFORE[name] for name in ("period", "delivery_retention_ms", "approval", "terms")}
MONTH = {"period": {"calendar": "month", "time_zone": "UTC"}}


@pytest.mark.parametrize(
    ("versions", "given", "sent"),
    [
        ([BEFORE], {}, KEPT),
        ([BEFORE], {"approval": "manual"}, KEPT | {"approval": "manual"}),
        ([BEFORE], {"period": "month"}, KEPT | MONTH),
        ([], {}, MONTH),
    ],
)
def test_next_version_keeps_what_is_not_given(
    tmp_path: Path, versions: list[object], given: dict[str, str], sent: dict[str, object]
) -> None:
    """A new price alone changes neither the period nor the approval: buyers can go over to it."""
    bodies = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"items": versions, "next_cursor": None})
        bodies.append(json.loads(request.content))
        return httpx.Response(201, json=BEFORE | {"number": 2, "state": "draft"})

    file = tmp_path / "price.json"
    file.write_text(json.dumps(GOOD))
    verb = draft.callback.__wrapped__  # type: ignore[union-attr]
    with Client("http://weir.test", "hush", http=httpx.MockTransport(answer)) as client:
        terms = dict.fromkeys(TERMS) | {"price": file} | given
        verb(Call(client, home=tmp_path, as_json=False), "windco/basic", **terms)

    assert bodies == [{"price": GOOD} | sent]
