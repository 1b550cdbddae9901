"""Another tenant's object and an absent one look the same."""

from typing import Any

import pytest

ROUTES = [
    ("GET", "/organisations/{o}", None),
    ("PATCH", "/organisations/{o}", {"name": "x"}),
    ("GET", "/organisations/{o}/tokens", None),
    ("POST", "/organisations/{o}/tokens", {"name": "x"}),
    ("DELETE", "/organisations/{o}/tokens/0123456789abcdef", None),
    ("GET", "/organisations/{o}/accounts", None),
    ("POST", "/organisations/{o}/accounts", {"name": "x"}),
    ("GET", "/organisations/{o}/accounts/edge", None),
    ("POST", "/organisations/{o}/accounts/edge/password", None),
    ("DELETE", "/organisations/{o}/accounts/edge", None),
    ("POST", "/products", {"id": "{o}/other", "title": "x"}),
    ("GET", "/products/{o}/wind", None),
    ("PATCH", "/products/{o}/wind", {"title": "x"}),
    ("POST", "/products/{o}/wind/publish", None),
    ("POST", "/products/{o}/wind/retire", None),
    ("POST", "/plans", {"id": "{o}/other", "product": "{o}/wind", "title": "x"}),
    ("GET", "/plans/{o}/basic", None),
    ("PATCH", "/plans/{o}/basic", {"title": "x"}),
    ("GET", "/plans/{o}/basic/versions", None),
    ("GET", "/plans/{o}/basic/versions/1", None),
    ("POST", "/plans/{o}/basic/versions/1/publish", None),
    ("POST", "/plans/{o}/basic/versions/1/withdraw", None),
    ("GET", "/subscriptions/{o}/sun", None),
    ("GET", "/subscriptions/{o}/sun/history", None),
    ("GET", "/subscriptions/{o}/sun/cutover", None),
    ("POST", "/subscriptions/{o}/sun/approve", {}),
    ("POST", "/subscriptions/{o}/sun/revoke", {"reason": "x"}),
    ("POST", "/subscriptions/{o}/sun/replan", {"plan": "solar/plan"}),
]


def _filled(value: Any, organisation: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(one, organisation) for key, one in value.items()}
    return value.replace("{o}", organisation) if isinstance(value, str) else value


def test_theirs_is_absent(world: Any, trade: Any) -> None:
    """Every route answers for another's object exactly as for one that does not exist."""
    solar = world.organisation("solar")
    world.product("solar/sun", solar)
    world.plan("solar/plan", "solar/sun", solar)
    world.done("POST", "/organisations/acme/accounts", trade.seller, {"name": "edge"})
    world.active("acme/sun", "solar/sun", "solar/plan", trade.seller, solar)
    for method, path, body in ROUTES:
        theirs = world.ask(method, _filled(path, "acme"), trade.buyer, _filled(body, "acme"))
        absent = world.ask(method, _filled(path, "nowhere"), trade.buyer, _filled(body, "nowhere"))
        assert theirs.status_code == absent.status_code == 404, (method, path, theirs.text)
        assert theirs.text.replace("acme", "nowhere") == absent.text, (method, path)


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
