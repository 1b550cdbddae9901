"""Cursors: one of another list, an altered one, or one made by hand is refused by its name."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from broker.api.pages import encode_cursor

# Whoever reads our source can give any key the right checksum.
FORGED = [
    "",
    "\0",
    "a\0b",
    "ü",
    "\ud7ff",
    "\n",
    "9" * 40,
    "-1",
    str(2**31 - 1),
    str(2**31),
    str(2**32),
    "9" * 18,
    str(2**63),
    "1e9",
    "²",
    "9999-99-99 x",
    "x" * 150,
]
MOMENTS = ["2026-01-01T00:00:00 x", "0001-01-01T00:00:00+23:59 x", "9999-12-31T23:59:59-23:59 x"]


def _lists(world: Any) -> Iterator[str]:
    """Every list there is."""
    for path, methods in world.done("GET", "/openapi.json", {})["paths"].items():
        parameters = methods.get("get", {}).get("parameters", ())
        if "cursor" in {one["name"] for one in parameters}:
            name = "grid/feed" if "subscriptions" in path else "acme/wind"
            name = "acme/basic" if "plans" in path else name
            yield path.replace("{organisation}/{name}", name).replace("{organisation}", "acme")


@pytest.mark.parametrize("key", [*FORGED, *MOMENTS])
def test_a_cursor_made_by_hand(world: Any, trade: Any, key: str) -> None:
    """On no list does one cause anything but a page, or a refusal that names `cursor`."""
    world.active("grid/feed", "acme/wind", "acme/basic", trade.buyer, trade.seller)
    asked = 0
    for path in _lists(world):
        cursor = encode_cursor(f"{path} [] None", key)
        answer = world.client.get(path, params={"cursor": cursor}, headers=world.operator)
        if answer.status_code != 200:
            assert (answer.status_code, answer.json()["field"]) == (422, "cursor"), (path, key)
        asked += 1
    assert asked == 12


def test_an_altered_cursor(world: Any, trade: Any) -> None:
    """Whatever character is changed: refused, or it still is the same cursor."""
    for name in ("wave", "tide"):
        world.done("POST", "/products", trade.seller, {"id": f"acme/{name}", "title": name})
    first = world.get("/products?limit=1", trade.seller).json()
    cursor = first["next_cursor"]
    next_page = world.get(f"/products?limit=1&cursor={cursor}", trade.seller).json()
    for place in range(len(cursor)):
        for one in "Aa_-9":
            altered = cursor[:place] + one + cursor[place + 1 :]
            answer = world.get(f"/products?limit=1&cursor={altered}", trade.seller)
            if answer.status_code == 200:
                assert _bytes(altered) == _bytes(cursor)
                assert answer.json() == next_page
            else:
                assert (answer.status_code, answer.json()["field"]) == (422, "cursor")


def test_a_cursor_of_another(world: Any, trade: Any) -> None:
    """One of another list, of other filters or of another company is refused."""
    for name in ("wave", "tide"):
        world.done("POST", "/products", trade.seller, {"id": f"acme/{name}", "title": name})
    cursor = world.get("/products?limit=1", trade.seller).json()["next_cursor"]
    for path, headers in (
        ("/plans", trade.seller),
        ("/products", trade.buyer),
        ("/products", world.operator),
        ("/subscriptions?product=acme/wave", trade.seller),
    ):
        joined = "&" if "?" in path else "?"
        answer = world.get(f"{path}{joined}cursor={cursor}", headers)
        assert (answer.status_code, answer.json()["field"]) == (422, "cursor")


def _bytes(cursor: str) -> bytes:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
