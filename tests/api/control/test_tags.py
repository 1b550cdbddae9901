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
}


def test_a_stale_tag_is_refused_on_every_route(world: Any, trade: Any) -> None:
    """Each route that takes If-Match answers 412 to a tag of before, and changes nothing."""
    world.active("grid/feed", "acme/wind", "acme/basic", trade.buyer, trade.seller)
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
                .replace("{number}", "1")
            )
            content = operation.get("requestBody", {}).get("content", {}).values()
            schema = next((one["schema"]["$ref"].rpartition("/")[2] for one in content), None)
            body = None if schema is None else BODIES[schema]
            read = f"/{noun}/{names.get(noun, 'acme')}"
            before = world.done("GET", read, world.operator)
            stale = world.operator | {"If-Match": '"999"'}
            answer = world.ask(method.upper(), there, stale, body)
            assert answer.status_code == 412, (method, path, answer.text)
            assert world.done("GET", read, world.operator) == before
            seen.add(f"{method} {path}")
    assert len(seen) == 15, sorted(seen)
