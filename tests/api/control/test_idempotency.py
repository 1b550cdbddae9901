"""Idempotency-Key: what is sent twice is created once."""

import threading
from dataclasses import replace
from hashlib import sha256
from typing import Any

from sqlalchemy import text


def _key(headers: dict[str, str], key: str) -> dict[str, str]:
    return headers | {"Idempotency-Key": key}


def test_the_same_request_again(world: Any) -> None:
    """The same key and body give the same answer, secret included, and one object."""
    acme = world.organisation("acme")
    first = world.post("/organisations/acme/accounts", _key(acme, "k"), {"name": "edge"})
    again = world.post("/organisations/acme/accounts", _key(acme, "k"), {"name": "edge"})
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["etag"] == first.headers["etag"]
    assert world.credentials.passwords == {"acme.edge": first.json()["password"]}


def test_another_body_under_the_same_key(world: Any) -> None:
    """The same key with another body, or on another route, is a conflict."""
    acme = world.organisation("acme")
    world.post("/organisations/acme/accounts", _key(acme, "k"), {"name": "edge"})
    other = world.post("/organisations/acme/accounts", _key(acme, "k"), {"name": "core"})
    route = world.post("/organisations/acme/tokens", _key(acme, "k"), {"name": "edge"})
    assert (other.status_code, route.status_code) == (409, 409)


def test_a_key_belongs_to_a_token(world: Any) -> None:
    """Another token may use the same key for something else."""
    acme, grid = world.organisation("acme"), world.organisation("grid")
    one = world.post("/organisations/acme/tokens", _key(acme, "k"), {"name": "a"})
    two = world.post("/organisations/grid/tokens", _key(grid, "k"), {"name": "b"})
    assert (one.status_code, two.status_code) == (201, 201)


def test_a_key_of_a_rotated_operator_token(world: Any) -> None:
    """The operator's new token cannot read an answer sealed with the old one: a conflict."""
    body = {"id": "acme", "name": "Acme"}
    assert world.post("/organisations", _key(world.operator, "k"), body).status_code == 201
    state, before = world.client.app.state, world.client.app.state.services
    state.services = replace(before, operator_sha256=sha256(b"the-next").digest())
    try:
        operator = {"Authorization": "Bearer the-next"}
        again = world.post("/organisations", _key(operator, "k"), body)
    finally:
        state.services = before
    assert again.status_code == 409
    assert "send a new key" in again.json()["detail"]


def test_what_failed_may_be_tried_again(world: Any) -> None:
    """A request that was refused leaves no trace of its key."""
    body = {"id": "acme/wind", "title": "Wind"}
    assert world.post("/products", _key(world.operator, "k"), body).status_code == 404
    world.organisation("acme")
    assert world.post("/products", _key(world.operator, "k"), body).status_code == 201


def test_a_key_is_kept_for_a_day(world: Any) -> None:
    """After a day the key is forgotten, and the name refuses a second object by itself."""
    acme = world.organisation("acme")
    world.post("/organisations/acme/accounts", _key(acme, "k"), {"name": "edge"})
    world.pass_time(hours=25)
    again = world.post("/organisations/acme/accounts", _key(acme, "k"), {"name": "edge"})
    assert again.status_code == 409
    assert "never given twice" in again.json()["detail"]


def test_two_at_once(world: Any) -> None:
    """Of two equal requests at the same time one creates, the other gets that one's answer."""
    acme = world.organisation("acme")
    answers: list[Any] = []

    def send() -> None:
        sent = world.post("/organisations/acme/accounts", _key(acme, "k"), {"name": "edge"})
        answers.append(sent)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1


def test_two_different_at_once(world: Any) -> None:
    """Of different requests under one key at the same time one creates, the others conflict."""
    acme = world.organisation("acme")
    barrier = threading.Barrier(4)
    answers: list[Any] = []

    def send(name: str) -> None:
        barrier.wait(30)
        path = "/organisations/acme/accounts"
        answers.append(world.post(path, _key(acme, "k"), {"name": name}))

    threads = [threading.Thread(target=send, args=(f"edge-{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert len(world.done("GET", "/organisations/acme/accounts", acme)["items"]) == 1


def test_a_secret_is_not_stored(world: Any) -> None:
    """Neither a token nor a password can be found in any table in clear."""
    acme = world.organisation("acme")
    made = world.post("/organisations/acme/accounts", _key(acme, "k"), {"name": "edge"}).json()
    token = acme["Authorization"].removeprefix("Bearer ")
    with world.sessions() as session:
        for table in ("idempotency_keys", "api_tokens", "service_accounts"):
            rows = session.execute(text(f"SELECT * FROM {table}")).all()
            stored = b"|".join(
                value if isinstance(value, bytes) else str(value).encode()
                for row in rows
                for value in row
            )
            assert made["password"].encode() not in stored
            assert token.encode() not in stored
