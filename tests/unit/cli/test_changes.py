"""The verbs that change what there is: what each asks of the API, and what it says."""

import json
from pathlib import Path
from typing import Any

import click
import httpx
import pytest

from broker.cli.calls import Call
from broker.cli.organisation import delete_account, revoke_token, tokens
from broker.cli.period import show as show_period
from broker.cli.plan import withdraw
from broker.cli.product import change
from broker.client import Client
from broker.errors import ConflictError, InvalidFieldError

AT = "2026-03-01T12:00:00Z"
PRODUCT = {"id": "windco/turbines", "partitions": 4, "published_partitions": 2}
FIELDS = (
    "organisation title description classification topic quarantine_topic subject retention_ms "
    "quarantine_max_bytes record_max_bytes validation event_time_field state topic_id created_by "
    "revision"
)
TIMES = {"created_at": AT, "published_at": AT, "retired_at": None, "ended_at": None}
TOKEN = {"id": "0123456789abcdef", "organisation": "windco", "name": "first", "created_by": "x"}
ENDED = {"created_at": AT, "expires_at": None, "revoked_at": AT}
ACCOUNT = {"id": "windco/edge", "principal": "windco.edge", "role": "producer", "state": "deleted"}


class Api:
    """Answers with one body, and remembers what was asked."""

    def __init__(self, body: Any) -> None:
        self.body = body
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        sent = json.loads(request.content) if request.content else None
        self.asked.append((request.method, request.url.path, sent))
        return httpx.Response(200, json=self.body)


def typed(api: Api, verb: click.Command, *given: Any, **options: Any) -> None:
    """Type a verb."""
    with Client("http://weir.test", "hush", http=httpx.MockTransport(api)) as client:
        run = verb.callback.__wrapped__  # type: ignore[union-attr]
        run(Call(client, home=Path(), as_json=False), *given, **options)


def test_product_is_changed(capsys: pytest.CaptureFixture[str]) -> None:
    """What is named is sent and nothing else; more partitions take a moment, which is said."""
    api = Api(PRODUCT | dict.fromkeys(FIELDS.split()) | TIMES)

    typed(api, change, "windco/turbines", retention_days=100, partitions=4, title=None)

    sent = {"partitions": 4, "retention_ms": 8_640_000_000}
    assert api.asked == [("PATCH", "/v1/products/windco/turbines", sent)]
    assert "its topics get 4 partitions" in capsys.readouterr().out


def test_change_of_nothing_is_refused() -> None:
    """A change that names no option asks nobody."""
    api = Api({})

    with pytest.raises(click.UsageError, match="nothing to change"):
        typed(api, change, "windco/turbines", retention_days=None, partitions=None)

    assert api.asked == []


def test_token_is_found_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    """A token that got out is found by its name, and ended by its id."""
    listing = Api({"items": [TOKEN | ENDED], "next_cursor": None})
    ending = Api(TOKEN | ENDED)

    typed(listing, tokens, "windco")
    typed(ending, revoke_token, "windco", TOKEN["id"])

    path = "/v1/organisations/windco/tokens"
    assert listing.asked == [("GET", path, None)]
    assert ending.asked == [("DELETE", f"{path}/{TOKEN['id']}", None)]
    assert "token 0123456789abcdef of windco is revoked" in capsys.readouterr().out


def test_secret_is_no_id() -> None:
    """The secret in place of a token's id is sent nowhere, and not shown."""
    api = Api(TOKEN | ENDED)

    with pytest.raises(InvalidFieldError, match="16 hexadecimal digits") as raised:
        typed(api, revoke_token, "windco", "weir_secret")

    assert (api.asked, "weir_secret" in str(raised.value)) == ([], False)


def test_kafka_user_is_ended(capsys: pytest.CaptureFixture[str]) -> None:
    """A Kafka user is ended by its organisation and name."""
    api = Api(
        ACCOUNT
        | {"created_at": AT, "deleted_at": AT, "organisation": "windco"}
        | {"created_by": "x", "revision": 2}
    )

    typed(api, delete_account, "windco", "edge")

    assert api.asked == [("DELETE", "/v1/organisations/windco/accounts/edge", None)]
    assert "Kafka user windco.edge is deleted" in capsys.readouterr().out


def test_version_is_withdrawn(capsys: pytest.CaptureFixture[str]) -> None:
    """A version is taken from sale by its number."""
    terms = dict.fromkeys(("price", "period", "delivery_retention_ms", "approval", "terms"))
    api = Api(
        {"plan": "windco/basic", "number": 2, "state": "withdrawn", "created_by": "x"}
        | {"created_at": AT, "published_at": AT, "revision": 3}
        | terms
    )

    typed(api, withdraw, "windco/basic", 2)

    assert api.asked[0][:2] == ("POST", "/v1/plans/windco/basic/versions/2/withdraw")
    assert "windco/basic: version 2 is withdrawn" in capsys.readouterr().out


def test_nothing_closed_yet() -> None:
    """A product that was never closed is told apart from one that is not there."""
    with pytest.raises(ConflictError, match="nothing was closed yet; `weir period close"):
        typed(Api({"items": [], "next_cursor": None}), show_period, "windco/turbines", end=None)
