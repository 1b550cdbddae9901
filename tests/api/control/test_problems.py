"""Every wrong request is answered by a problem that names what is wrong."""

from typing import Any

import pytest


def _problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"].startswith("/problems/")
    assert {"title", "detail"} <= body.keys()
    return body


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic dGhlOm9wZXJhdG9y"},
        {"Authorization": "Bearer " + "x" * 5000},
    ],
)
def test_without_a_good_token(world: Any, headers: dict[str, str]) -> None:
    """A request without a known token is refused with 401 and told which scheme to use."""
    answer = world.get("/organisations", headers)
    _problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_unknown_route_and_method(world: Any) -> None:
    """Unknown paths and methods are problems too, and name what was asked for."""
    path = _problem(world.get("/nothing", world.operator), 404)
    method = _problem(world.ask("PUT", "/organisations", world.operator), 405)
    assert path["detail"].startswith("/v1/nothing: there is no such path")
    assert method["detail"].startswith("/v1/organisations: does not take PUT; it takes ")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"id": "Acme", "name": "Acme"}, "id"),  # upper case
        ({"id": "a--b", "name": "Acme"}, "id"),  # two hyphens
        ({"id": "a" * 41, "name": "Acme"}, "id"),  # too long
        ({"id": "weir-two", "name": "Acme"}, "id"),  # reserved
        ({"id": "acme\n", "name": "Acme"}, "id"),  # a line feed at the end
        ({"id": "acme"}, "name"),  # missing
        ({"id": "acme", "name": ""}, "name"),  # empty
        ({"id": "acme", "name": "a\x00b"}, "name"),  # NUL, which PostgreSQL cannot hold
        ({"id": "acme", "name": 3}, "name"),  # of another type
        ({"id": "acme", "name": "Acme", "colour": "red"}, "colour"),  # unknown
    ],
)
def test_a_wrong_field_is_named(world: Any, body: dict[str, Any], field: str) -> None:
    """A field that breaks its rule is refused by its name, and the value is told once."""
    told = _problem(world.post("/organisations", world.operator, body), 422)
    assert told["field"] == field
    assert told["detail"].count(", is ") <= 1


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b'"x"', 422),
        (b'{"id":"a","name":"\\ud800"}', 422),
        (b"\xff", 400),
    ],
)
def test_a_body_that_is_no_object(world: Any, content: bytes, status: int) -> None:
    """What is not a JSON object, or no Unicode, is refused."""
    headers = world.operator | {"Content-Type": "application/json"}
    answer = world.client.post("/v1/organisations", headers=headers, content=content)
    _problem(answer, status)


@pytest.mark.parametrize(
    ("path", "content", "field"),
    [
        ("/organisations", '{"id": "acme", "name": "a", "name": "b"}', "name"),
        ("/organisations", '{"id": "acme", "name": "a", "\\u006eame": "a"}', "name"),
        ("/organisations", '{"id": "acme", "x": {"y": 1, "y": 2}, "x": 3}', "x"),
        ("/organisations", '{"\\ud800": 1, "\\ud800": 2}', "\\ud800"),
        (
            "/plans/acme/basic/versions",
            '{"price": {"tiers": [{}, {"up_to": 1, "up_to": null}]}, "period": {"length_s": 60}}',
            "price.tiers[1].up_to",
        ),
    ],
)
def test_a_field_that_stands_twice(world: Any, path: str, content: str, field: str) -> None:
    """Which of two would count is nobody's guess: a repeated field is refused by its path."""
    headers = world.operator | {"Content-Type": "application/json"}
    answer = world.client.post(f"/v1{path}", headers=headers, content=content)
    assert _problem(answer, 422)["field"] == field
    assert world.done("GET", "/organisations", world.operator)["items"] == []


def test_the_same_name_in_two_objects(world: Any) -> None:
    """A name may stand in each of several objects: only within one it may not be repeated."""
    headers = world.operator | {"Content-Type": "application/json"}
    content = '{"id": "acme", "name": "a", "x": [{"y": 1}, {"y": 1}]}'
    answer = world.client.post("/v1/organisations", headers=headers, content=content)
    assert _problem(answer, 422)["field"] == "x"


def test_a_body_past_the_bound(world: Any) -> None:
    """More than a mebibyte is refused before it is read to the end."""
    body = {"id": "acme", "name": "x" * (1 << 20)}
    _problem(world.post("/organisations", world.operator, body), 413)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("cursor=nonsense", "cursor"),
        ("cursor=%C3%A9", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=" + "A" * 300, "cursor"),
    ],
)
def test_a_wrong_page(world: Any, query: str, field: str) -> None:
    """A page that cannot be is refused by the parameter's name."""
    answer = world.get(f"/organisations?{query}", world.operator)
    assert _problem(answer, 422)["field"] == field


def test_a_wrong_path(world: Any) -> None:
    """A slug in the path that is none is refused by its name."""
    assert (
        _problem(world.get("/products/ACME/wind", world.operator), 422)["field"] == "organisation"
    )
    assert _problem(world.get("/products/acme/w%00", world.operator), 422)["field"] == "name"


def test_our_own_failure_tells_nothing(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of ours is a 500 problem without its text, which may hold anything."""

    def fail(principal: str, password: str) -> None:
        raise RuntimeError(f"secret of {principal}: {password}")

    acme = world.organisation("acme")
    monkeypatch.setattr(world.credentials, "set_password", fail)
    answer = world.post("/organisations/acme/accounts", acme, {"name": "edge"})
    assert "secret" not in str(_problem(answer, 500))
    assert world.get("/organisations/acme/accounts/edge", acme).status_code == 404


@pytest.mark.parametrize("depth", [50, 300, 900, 100_000])
def test_a_body_of_great_depth(world: Any, trade: Any, depth: int) -> None:
    """However deep a body is nested, it is refused, with an idempotency key or without."""
    price = '{"currency": "EUR", "model": "flat", "amount": ' + "[" * depth + "]" * depth + "}"
    content = '{"price": ' + price + ', "period": {"length_s": 60}}'
    headers = trade.seller | {"Content-Type": "application/json"}
    for one in (headers, headers | {"Idempotency-Key": "k"}):
        answer = world.client.post("/v1/plans/acme/basic/versions", headers=one, content=content)
        assert answer.status_code in {400, 422}, answer.text


@pytest.mark.parametrize("reason", [" ", "\u00a0", "\u009b2J", "a\u202eb", "a\u200b", "a\u2028b"])
def test_text_that_moves_a_terminal(world: Any, trade: Any, reason: str) -> None:
    """Names and reasons without anything to read, or with what cannot be seen, are refused."""
    world.active("grid/feed", "acme/wind", "acme/basic", trade.buyer, trade.seller)
    suspended = world.post("/subscriptions/grid/feed/suspend", trade.seller, {"reason": reason})
    named = world.ask("PATCH", "/organisations/acme", world.operator, {"name": reason})
    assert _problem(suspended, 422)["field"] == "reason"
    assert "invisible" in _problem(named, 422)["detail"]


def test_text_of_any_script(world: Any, trade: Any) -> None:
    """What people write is taken: accents, other scripts, symbols past U+FFFF, spaces."""
    name = "Wind & Wëllen 風力 \U0001f32c a\u00a0b"
    body = {"name": name}
    assert world.done("PATCH", "/organisations/acme", world.operator, body)["name"] == name


@pytest.mark.parametrize("path", ["/organisations?limt=1", "/organisations/acme?limt=1"])
def test_an_unknown_query_parameter(world: Any, trade: Any, path: str) -> None:
    """A misspelt parameter is refused by its name, on a list and on one object."""
    assert _problem(world.get(path, world.operator), 422)["field"] == "limt"


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        ("[" * 100_000, 400, "nested too deeply"),
        ('{"id": ' + "9" * 5000 + "}", 400, "too many digits"),
        (b"\xff", 400, "not UTF-8 at byte 0"),
        ('{"id": }', 422, "no JSON at character 7"),
    ],
)
def test_a_body_that_cannot_be_read(world: Any, content: Any, status: int, said: str) -> None:
    """What cannot be parsed is told as the body's fault, with what and where."""
    headers = world.operator | {"Content-Type": "application/json"}
    answer = world.client.post("/v1/organisations", headers=headers, content=content)
    problem = _problem(answer, status)
    assert problem["field"] == "body"
    assert said in problem["detail"]


def test_a_body_of_another_type(world: Any) -> None:
    """A body that is not sent as JSON is 415, with the type to send."""
    headers = world.operator | {"Content-Type": "text/plain"}
    answer = world.client.post("/v1/organisations", headers=headers, content='{"id": "a"}')
    assert "application/json" in _problem(answer, 415)["detail"]


def test_a_wrong_value_is_shown(world: Any) -> None:
    """A refused value stands in the answer beside the rule."""
    assert (
        "'many'" in _problem(world.get("/organisations?limit=many", world.operator), 422)["detail"]
    )
