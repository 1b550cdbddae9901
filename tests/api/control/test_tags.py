"""If-Match: whoever changes an object that changed since it was read is told so."""

from typing import Any

BODIES: dict[str, dict[str, Any]] = {
    "OrganisationChange": {"name": "x"},
    "ProductChange": {"title": "x"},
    "PlanChange": {"title": "x"},
    "TermsIn": {
        "price": {"currency": "EUR", "model": "flat", "amount": "1"},
        "period": {"length_s": 60},
    },
    "Agreement": {},
    "Refusal": {"reason": "x"},
    "Replan": {"plan": "acme/basic"},
    "OperatorFeeChange": {"basis_points": 0},
}

CHANGING = {"post", "put", "patch", "delete"}
_NEW = "makes an object: there is none to have been read"
_ONCE = "changes once, to its end; doing it again changes nothing"
WITHOUT = {
    "post /v1/organisations": _NEW,
    "post /v1/organisations/{organisation}/tokens": _NEW,
    "delete /v1/organisations/{organisation}/tokens/{token}": _ONCE,
    "post /v1/organisations/{organisation}/accounts": _NEW,
    "post /v1/products": _NEW,
    "post /v1/products/{organisation}/{name}/closes": _NEW,
    "post /v1/plans": _NEW,
    "post /v1/plans/{organisation}/{name}/versions": _NEW,
    "post /v1/subscriptions": _NEW,
    "post /v1/invoices/{invoice}/finalise": _ONCE,
}


def test_every_change_takes_a_tag(world: Any) -> None:
    """Each changing route takes If-Match, save those that are listed with their reason."""
    without = {
        f"{method} {path}"
        for path, methods in world.done("GET", "/openapi.json", {})["paths"].items()
        for method, operation in methods.items()
        if method in CHANGING
        and "If-Match" not in {one["name"] for one in operation.get("parameters", ())}
    }
    assert without == WITHOUT.keys()


def test_a_password_raises_the_revision(world: Any, trade: Any) -> None:
    """Of two who renew a password they have read, the second is told of the first."""
    made = world.post("/organisations/acme/accounts", trade.seller, {"name": "edge"})
    read = trade.seller | {"If-Match": made.headers["ETag"]}
    path = "/organisations/acme/accounts/edge/password"
    assert [world.post(path, read).status_code for _ in range(2)] == [201, 412]


def test_a_stale_tag_is_refused_on_every_route(world: Any, trade: Any) -> None:
    """Each route that takes If-Match answers 412 to a tag of before, and changes nothing."""
    world.active("grid/feed", "acme/wind", "acme/basic", trade.buyer, trade.seller)
    world.done("POST", "/organisations/acme/accounts", trade.seller, {"name": "edge"})
    passwords = dict(world.credentials.passwords)
    seen = set()
    names = {"products": "acme/wind", "plans": "acme/basic", "subscriptions": "grid/feed"}
    for path, methods in world.done("GET", "/openapi.json", {})["paths"].items():
        for method, operation in methods.items():
            if "If-Match" not in {one["name"] for one in operation.get("parameters", ())}:
                continue
            noun = path.split("/")[2]
            there = (
                path.removeprefix("/v1")
                .replace("{organisation}/{name}", names.get(noun, ""))
                .replace("{organisation}", "acme")
                .replace("{name}", "edge")
                .replace("{number}", "1")
            )
            content = operation.get("requestBody", {}).get("content", {}).values()
            schema = next((one["schema"]["$ref"].rpartition("/")[2] for one in content), None)
            body = None if schema is None else BODIES[schema]
            read = f"/{noun}/{names.get(noun, 'acme')}"
            read = "/organisations/acme/accounts/edge" if "/accounts/" in path else read
            read = "/operator-fee" if noun == "operator-fee" else read
            before = world.done("GET", read, world.operator)
            stale = world.operator | {"If-Match": '"999"'}
            answer = world.ask(method.upper(), there, stale, body)
            assert answer.status_code == 412, (method, path, answer.text)
            assert world.done("GET", read, world.operator) == before
            seen.add(f"{method} {path}")
    assert world.credentials.passwords == passwords
    assert len(seen) == 18, sorted(seen)
