"""Another tenant's object and an absent one look the same."""

from collections.abc import Iterator
from typing import Any

import pytest

PRICE = {"currency": "EUR", "model": "unit", "metric": "records", "unit_amount": "0.01"}
NAMES = {"products": "draft", "catalogue": "draft", "plans": "basic", "subscriptions": "sun"}
BODIES: dict[str, dict[str, Any]] = {
    "OrganisationChange": {"name": "x"},
    "NewAccount": {"name": "x"},
    "NewToken": {"name": "x"},
    "ProductChange": {"title": "x"},
    "PlanChange": {"title": "x"},
    "TermsIn": {"price": PRICE, "period": {"length_s": 60}},
    "NewClose": {},
    "Agreement": {},
    "Refusal": {"reason": "x"},
    "Replan": {"plan": "solar/plan"},
    "NewProduct": {"id": "{o}/other", "title": "x"},
    "NewPlan": {"id": "{o}/other", "product": "{o}/wind", "title": "x"},
    "NewSubscription": {"id": "{o}/other", "product": "solar/sun", "plan": "solar/plan"},
}
# Lists, and what is one's own or the operator's; the tests below have them. Invoices have theirs in
# tests/api/billing/test_api.py.
NO_OBJECT = {
    *(f"GET {noun}" for noun in ("/organisations", "/products", "/plans", "/subscriptions")),
    *("GET /catalogue", "GET /me", "GET /status", "POST /organisations"),
    *("GET /operator-fee", "PUT /operator-fee"),
    *("GET /invoices", "GET /payouts", "GET /invoices/{invoice}"),
    *("GET /invoices/{invoice}/rating", "POST /invoices/{invoice}/finalise"),
}


def _operations(world: Any) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """Method, path and a body of each that names an object, as the API itself tells them."""
    for path, methods in world.done("GET", "/openapi.json", {})["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path.removeprefix('/v1')}"
            if name in NO_OBJECT:
                continue
            content = operation.get("requestBody", {}).get("content", {}).values()
            schema = next((one["schema"]["$ref"] for one in content), None)
            body = None if schema is None else BODIES[schema.rpartition("/")[2]]
            yield *name.split(" "), body  # type: ignore[misc]


def _filled(value: Any, organisation: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(one, organisation) for key, one in value.items()}
    return value.replace("{o}", organisation) if isinstance(value, str) else value


def test_theirs_is_absent(world: Any, trade: Any) -> None:
    """Every route there is answers for another's object exactly as for one that does not exist."""
    solar = world.organisation("solar")
    world.product("solar/sun", solar)
    world.plan("solar/plan", "solar/sun", solar)
    world.done("POST", "/products", trade.seller, {"id": "acme/draft", "title": "Draft"})
    world.done("POST", "/organisations/acme/accounts", trade.seller, {"name": "edge"})
    [token] = world.done("GET", "/organisations/acme/tokens", trade.seller)["items"]
    world.active("acme/sun", "solar/sun", "solar/plan", trade.seller, solar)
    asked = 0
    for method, path, body in _operations(world):
        name = "edge" if "accounts" in path else NAMES.get(path.split("/")[1], "")
        there = (
            path.replace("{organisation}", "{o}")
            .replace("{name}", name)
            .replace("{number}", "1")
            .replace("{token}", token["id"])
            .replace("{end_ms}", "1")
        )
        theirs = world.ask(method, _filled(there, "acme"), trade.buyer, _filled(body, "acme"))
        absent = world.ask(method, _filled(there, "nowhere"), trade.buyer, _filled(body, "nowhere"))
        assert theirs.status_code == absent.status_code == 404, (method, path, theirs.text)
        assert theirs.text.replace("acme", "nowhere") == absent.text, (method, path)
        asked += 1
    assert asked == 40


def test_lists_hold_ones_own(world: Any, trade: Any) -> None:
    """Lists show a tenant its own objects, the operator all."""
    mine = [("/organisations", "grid"), ("/products", ""), ("/plans", ""), ("/subscriptions", "")]
    for path, own in mine:
        found = world.done("GET", path, trade.buyer)["items"]
        assert [one["id"] for one in found] == ([own] if own else [])
    assert len(world.done("GET", "/organisations", world.operator)["items"]) == 2
    assert len(world.done("GET", "/plans", world.operator)["items"]) == 1


def test_only_the_operator(world: Any, trade: Any) -> None:
    """A tenant neither lets companies in nor sees the state of the exchange."""
    body = {"id": "friend", "name": "Friend"}
    assert world.post("/organisations", trade.seller, body).status_code == 403
    assert world.get("/status", trade.seller).status_code == 403
    assert world.get("/status", world.operator).json()["seq"] == 1


@pytest.mark.parametrize("path", ["/products/acme/draft", "/catalogue/acme/draft"])
def test_a_draft_is_the_sellers_alone(world: Any, trade: Any, path: str) -> None:
    """A buyer sees what is published, not what is being prepared."""
    world.done("POST", "/products", trade.seller, {"id": "acme/draft", "title": "Draft"})
    assert world.get(path, trade.buyer).status_code == 404
