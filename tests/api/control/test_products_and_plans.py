"""Products and plans: what a seller offers, and what it can no longer change."""

from typing import Any

import pytest

DAY_MS = 24 * 60 * 60 * 1000
PRICE = {"currency": "EUR", "model": "unit", "metric": "records", "unit_amount": "0.01"}
MONTH = {"calendar": "month", "time_zone": "Europe/Berlin"}


def test_the_life_of_a_product(world: Any) -> None:
    """draft, publishing until its topic is confirmed, published, retired; each act in its place."""
    acme = world.organisation("acme")
    body = {"id": "acme/wind", "title": "Wind", "event_time_field": "header.at"}
    draft = world.done("POST", "/products", acme, body)
    assert (draft["state"], draft["topic"]) == ("draft", "product.acme.wind")
    assert world.done("POST", "/products/acme/wind/publish", acme)["state"] == "publishing"
    assert world.post("/products/acme/wind/publish", acme).status_code == 409
    assert world.done("POST", "/products/acme/wind/retire", acme)["state"] == "retired"
    assert world.ask("PATCH", "/products/acme/wind", acme, {"title": "x"}).status_code == 409
    assert world.post("/products", acme, body).status_code == 409


def test_if_match(world: Any) -> None:
    """A change that names another revision than the present one is refused with 412."""
    acme = world.organisation("acme")
    world.done("POST", "/products", acme, {"id": "acme/wind", "title": "Wind"})
    read = world.get("/products/acme/wind", acme)
    changed = world.ask(
        "PATCH", "/products/acme/wind", acme | {"If-Match": read.headers["etag"]}, {"title": "A"}
    )
    late = world.ask(
        "PATCH", "/products/acme/wind", acme | {"If-Match": read.headers["etag"]}, {"title": "B"}
    )
    wrong = world.ask("PATCH", "/products/acme/wind", acme | {"If-Match": "x"}, {"title": "B"})
    assert (changed.status_code, late.status_code, wrong.status_code) == (200, 412, 422)
    assert changed.headers["etag"] != read.headers["etag"]
    assert world.done("GET", "/products/acme/wind", acme)["title"] == "A"


def test_partitions_can_only_be_raised(world: Any, trade: Any) -> None:
    """Raising is wanted first and told to routers when confirmed; lowering is refused by name."""
    raised = world.done("PATCH", "/products/acme/wind", trade.seller, {"partitions": 4})
    assert (raised["partitions"], raised["published_partitions"]) == (4, 2)
    lowered = world.ask("PATCH", "/products/acme/wind", trade.seller, {"partitions": 1})
    assert lowered.json()["field"] == "partitions"


@pytest.mark.parametrize(
    ("retention_days", "period", "published"),
    [
        (61, MONTH, True),  # the longest month and 30 days to dispute
        (60, MONTH, False),  # a day short
        (31, {"length_s": 60}, True),  # a trial of a minute
        (30, {"length_s": 60}, False),  # a minute short
    ],
)
def test_retention_covers_period_and_dispute(
    world: Any, retention_days: int, period: dict[str, Any], *, published: bool
) -> None:
    """A plan is published only if its product keeps records for a period and the dispute window."""
    acme = world.organisation("acme")
    world.product("acme/wind", acme, retention_ms=retention_days * DAY_MS)
    body = {"id": "acme/basic", "product": "acme/wind", "title": "Basic"}
    world.done("POST", "/plans", acme, body)
    world.done("POST", "/plans/acme/basic/versions", acme, {"price": PRICE, "period": period})
    answer = world.post("/plans/acme/basic/versions/1/publish", acme)
    assert answer.is_success == published
    if not published:
        assert answer.json()["field"] == "period"


def test_retention_cannot_be_lowered_below_a_plan(world: Any, trade: Any) -> None:
    """Once a plan is published, its product's retention stays long enough for it."""
    answer = world.ask("PATCH", "/products/acme/wind", trade.seller, {"retention_ms": DAY_MS})
    assert answer.json()["field"] == "retention_ms"


@pytest.mark.parametrize(
    ("price", "field"),
    [
        ({"currency": "EUR"}, "price.model"),
        (PRICE | {"unit_amount": 0.01}, "price.unit_amount"),
        (PRICE | {"colour": "red"}, "price.colour"),
        (PRICE | {"currency": "EURO"}, "price.currency"),
    ],
)
def test_a_wrong_price_is_named(world: Any, trade: Any, price: Any, field: str) -> None:
    """A price is read strictly, and its fault named from the top."""
    body = {"price": price, "period": {"length_s": 60}}
    answer = world.post("/plans/acme/basic/versions", trade.seller, body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


@pytest.mark.parametrize(
    ("period", "field"),
    [
        ({"length_s": 1}, "period.length_s"),
        ({"length_s": 31536000}, "period.length_s"),
        ({"length_s": 60, "calendar": "month"}, "period.calendar"),
        ({"calendar": "week", "time_zone": "UTC"}, "period.calendar"),
        ({"time_zone": "UTC"}, "period.calendar"),
        ({}, "period"),
        ("month", "period"),
        ({"calendar": "month", "time_zone": "Mars/Olympus"}, "period.time_zone"),
        ({"calendar": "month", "time_zone": "../etc/passwd"}, "period.time_zone"),
    ],
)
def test_a_wrong_period_is_named(world: Any, trade: Any, period: Any, field: str) -> None:
    """A period that cannot be is refused by its field."""
    body = {"price": PRICE, "period": period}
    answer = world.post("/plans/acme/basic/versions", trade.seller, body)
    assert answer.status_code == 422
    assert answer.json()["field"] == field


def test_a_metric_that_segments_do_not_carry(world: Any, trade: Any) -> None:
    """`devices` may stand in a draft, but not in what is published."""
    body = {"price": PRICE | {"metric": "devices"}, "period": {"length_s": 60}}
    world.done("POST", "/plans/acme/basic/versions", trade.seller, body)
    answer = world.post("/plans/acme/basic/versions/2/publish", trade.seller)
    assert (answer.status_code, answer.json()["field"]) == (422, "price.metric")


def test_what_is_published_never_changes(world: Any, trade: Any) -> None:
    """A draft can be replaced; a published version only withdrawn."""
    body = {"price": PRICE | {"unit_amount": "0.02"}, "period": {"length_s": 60}}
    world.done("POST", "/plans/acme/basic/versions", trade.seller, body)
    newer = body | {"terms": "Net 30."}
    replaced = world.done("PUT", "/plans/acme/basic/versions/2", trade.seller, newer)
    assert replaced["terms"] == "Net 30."
    world.done("POST", "/plans/acme/basic/versions/2/publish", trade.seller)
    assert world.ask("PUT", "/plans/acme/basic/versions/2", trade.seller, body).status_code == 409
    world.done("POST", "/plans/acme/basic/versions/2/withdraw", trade.seller)
    offered = world.done("GET", "/catalogue/acme/wind", trade.buyer)["plans"]
    assert [plan["version"]["number"] for plan in offered] == [1]


def test_a_buyer_sees_what_it_was_billed_by(world: Any, trade: Any) -> None:
    """A buyer reads the versions its subscriptions have had and those on sale, and no other."""
    versions = "/plans/acme/basic/versions"
    world.active("grid/feed", "acme/wind", "acme/basic", trade.buyer, trade.seller)  # of version 1
    world.version("acme/basic", trade.seller)
    world.version("acme/basic", trade.seller)
    world.plan("acme/other", "acme/wind", trade.seller)
    world.done("POST", f"{versions}/1/withdraw", trade.seller)
    world.done("POST", f"{versions}/2/withdraw", trade.seller)
    draft = {"price": PRICE, "period": {"length_s": 60}}
    world.done("POST", versions, trade.seller, draft)
    seen = world.done("GET", versions, trade.buyer)["items"]
    assert [(one["number"], one["state"]) for one in seen] == [(1, "withdrawn"), (3, "published")]
    assert world.done("GET", f"{versions}/1", trade.buyer)["price"] == PRICE
    assert world.done("GET", "/plans/acme/basic", trade.buyer)["id"] == "acme/basic"
    assert len(world.done("GET", versions, trade.seller)["items"]) == 4
    hidden = (f"{versions}/2", f"{versions}/4", "/plans/acme/other", "/plans/acme/other/versions/1")
    assert {world.get(path, trade.buyer).status_code for path in hidden} == {404}
    other = world.organisation("other")
    for path in ("/plans/acme/basic", versions, f"{versions}/1", f"{versions}/3"):
        assert world.get(path, other).status_code == 404


def test_a_buyer_keeps_the_versions_before_a_change(world: Any, trade: Any) -> None:
    """After a change of plan the version before it stays readable; writing stays the seller's."""
    versions = "/plans/acme/basic/versions"
    world.active("grid/feed", "acme/wind", "acme/basic", trade.buyer, trade.seller)
    world.version("acme/basic", trade.seller, approval="automatic")
    body = {"plan": "acme/basic"}
    world.done("POST", "/subscriptions/grid/feed/replan", trade.buyer, body)
    world.done("POST", f"{versions}/1/withdraw", trade.seller)
    seen = world.done("GET", versions, trade.buyer)["items"]
    assert [one["number"] for one in seen] == [1, 2]
    assert world.post(f"{versions}/1/withdraw", trade.buyer).status_code == 404
    change = {"title": "x"}
    assert world.ask("PATCH", "/plans/acme/basic", trade.buyer, change).status_code == 404


def test_the_catalogue(world: Any, trade: Any) -> None:
    """A buyer finds products by words, and sees plans and prices."""
    hit = world.done("GET", "/catalogue?words=WIND", trade.buyer)["items"]
    assert [one["id"] for one in hit] == ["acme/wind"]
    assert world.done("GET", "/catalogue?words=%25", trade.buyer)["items"] == []
    detail = world.done("GET", "/catalogue/acme/wind", trade.buyer)
    assert detail["plans"][0]["version"]["price"] == PRICE


def test_pages(world: Any) -> None:
    """Pages bring every item once, in order, and end; a cursor serves its own list only."""
    acme = world.organisation("acme")
    wanted = [f"acme/p{n}" for n in range(5)]
    for one in wanted:
        world.done("POST", "/products", acme, {"id": one, "title": one})
    found: list[str] = []
    cursor = ""
    while True:
        page = world.done("GET", f"/products?limit=2{cursor}", acme)
        found += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == wanted
    assert world.get(f"/plans?limit=2{cursor}", acme).json()["field"] == "cursor"
    assert world.get(f"/products?limit=2{cursor}", world.operator).json()["field"] == "cursor"
