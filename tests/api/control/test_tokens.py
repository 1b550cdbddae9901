"""Tokens and service accounts: shown once, revocable, never in clear."""

from typing import Any


def test_a_revoked_token_opens_nothing(world: Any) -> None:
    """Revoking ends a token at once; again changes nothing."""
    acme = world.organisation("acme")
    made = world.done("POST", "/organisations/acme/tokens", acme, {"name": "ci"})
    second = {"Authorization": f"Bearer {made['token']}"}
    assert world.get("/me", second).json()["organisation"] == "acme"
    ended = world.done("DELETE", f"/organisations/acme/tokens/{made['id']}", acme)
    assert world.get("/me", second).status_code == 401
    assert world.done("DELETE", f"/organisations/acme/tokens/{made['id']}", acme) == ended


def test_a_token_ends_by_itself(world: Any) -> None:
    """A token with a lifetime opens nothing after it."""
    acme = world.organisation("acme")
    body = {"name": "short", "lifetime_s": 60}
    made = world.done("POST", "/organisations/acme/tokens", acme, body)
    short = {"Authorization": f"Bearer {made['token']}"}
    assert world.get("/me", short).is_success
    world.pass_time(seconds=60)
    assert world.get("/me", short).status_code == 401


def test_a_token_is_shown_once(world: Any) -> None:
    """Lists show tokens by name and id, never the token."""
    acme = world.organisation("acme")
    shown = world.done("GET", "/organisations/acme/tokens", acme)["items"]
    assert [one["name"] for one in shown] == ["first"]
    assert "token" not in shown[0]


def test_an_account_has_its_password_in_kafka_alone(world: Any) -> None:
    """An account's password goes to Kafka and to the answer, and can be renewed."""
    acme = world.organisation("acme")
    made = world.done("POST", "/organisations/acme/accounts", acme, {"name": "edge"})
    assert made["principal"] == "acme.edge"
    assert world.credentials.passwords["acme.edge"] == made["password"]
    renewed = world.done("POST", "/organisations/acme/accounts/edge/password", acme)
    assert world.credentials.passwords["acme.edge"] == renewed["password"] != made["password"]
    assert "password" not in world.done("GET", "/organisations/acme/accounts/edge", acme)


def test_an_accounts_name_is_never_given_again(world: Any) -> None:
    """A deleted account's name stays taken, and it cannot be acted on."""
    acme = world.organisation("acme")
    world.done("POST", "/organisations/acme/accounts", acme, {"name": "edge"})
    assert world.done("DELETE", "/organisations/acme/accounts/edge", acme)["state"] == "deleted"
    again = world.post("/organisations/acme/accounts", acme, {"name": "edge"})
    renewed = world.post("/organisations/acme/accounts/edge/password", acme)
    assert (again.status_code, renewed.status_code) == (409, 409)
