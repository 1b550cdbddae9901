"""What the registry answers to requests that it does not do, before it asks the database."""

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import sessionmaker

from broker.api.limits import BODY_MAX_BYTES, BodyLimit
from broker.domain.actor import Actor
from broker.registry.app import registry_app
from broker.registry.services import RegistryServices

SUBJECT = "product.acme.wind-value"
ONE = {"schema": '"int"'}


@pytest.fixture
def http() -> TestClient:
    """The registry as `weir serve` mounts it, to acme, without a database."""
    services = RegistryServices(
        sessions=sessionmaker(),
        authenticate=lambda _: Actor("token 1", "acme"),
        clock=lambda: datetime(2026, 3, 1, tzinfo=UTC),
    )
    app = FastAPI()
    app.mount("/registry", registry_app(services))
    app.add_middleware(BodyLimit)
    return TestClient(app, base_url="http://weir.test/registry")


def asked(http: TestClient, method: str, path: str, body: object) -> tuple[int, str]:
    """Code and message of a refusal, whose status is the code's beginning."""
    answer = http.request(method, path, json=body)
    said = answer.json()
    assert str(said["error_code"]).startswith(str(answer.status_code))
    assert answer.headers["content-type"] == "application/vnd.schemaregistry.v1+json"
    return said["error_code"], said["message"]


@pytest.mark.parametrize(
    ("path", "body", "beginning"),
    [
        (f"/subjects/{SUBJECT}/versions", {"schema": 5}, "schema: "),
        (f"/subjects/{SUBJECT}/versions", ONE | {"metadata": 5}, "metadata: "),
        (f"/subjects/{SUBJECT}/versions", [], "body: "),
        (f"/subjects/{SUBJECT}/versions?normalize=maybe", ONE, "normalize: "),
    ],
)
def test_field_is_named_as_it_was_sent(
    http: TestClient, path: str, body: object, beginning: str
) -> None:
    """A field of a body or a query is called as the client wrote it, and as `/v1` calls it."""
    code, message = asked(http, "POST", path, body)

    assert (code, message.startswith(beginning)) == (422, True), message


def test_level_is_named_as_it_was_sent(http: TestClient) -> None:
    """Likewise where the body is a level."""
    assert asked(http, "PUT", "/config", {})[1].startswith("compatibility: ")


@pytest.mark.parametrize(("name", "value"), [("id", 5), ("version", 7), ("id", 0)])
def test_number_is_not_the_client_s_to_choose(http: TestClient, name: str, value: int) -> None:
    """A schema that brings its own id or version is refused, not registered under another."""
    code, message = asked(http, "POST", f"/subjects/{SUBJECT}/versions", ONE | {name: value})

    assert (code, message.startswith(f"{name}: ")) == (42205, True), message


def test_metadata_has_no_versions(http: TestClient) -> None:
    """Asking for the latest version with some metadata is refused in a sentence."""
    code, message = asked(http, "GET", f"/subjects/{SUBJECT}/metadata?key=a&value=b", None)

    assert (code, message.startswith("metadata: ")) == (42205, True)


def test_unknown_path_is_named(http: TestClient) -> None:
    """A path that no registry has is said with the path."""
    assert asked(http, "GET", "/dek-registry/v1/keks", None) == (
        404,
        "/dek-registry/v1/keks: there is no such path; see docs/registry.md",
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"mode": "SIDEWAYS"}, 42204),
        ({"mode": ""}, 42204),
        ({"mode": "READONLY"}, 42205),
        ({"mode": "import"}, 42205),
        ({"mode": "READWRITE"}, 42205),
    ],
)
@pytest.mark.parametrize("path", ["/mode", f"/mode/{SUBJECT}"])
def test_mode_is_refused_by_its_code(
    http: TestClient, path: str, body: dict[str, Any], code: int
) -> None:
    """A word that is no mode is an invalid one; a mode that there is cannot be set."""
    assert asked(http, "PUT", path, body)[0] == code


def test_body_past_the_bound_is_refused_in_its_shape(http: TestClient) -> None:
    """Confluent's clients read error_code and message here too."""
    body = ONE | {"more": "x" * BODY_MAX_BYTES}

    code, message = asked(http, "POST", f"/subjects/{SUBJECT}/versions", body)

    assert (code, f"at most {BODY_MAX_BYTES} bytes" in message) == (413, True)


def test_repeated_field_is_refused_in_its_shape(http: TestClient) -> None:
    """Likewise a field that stands twice."""
    answer = http.post(f"/subjects/{SUBJECT}/versions", content='{"schema": "1", "schema": "2"}')

    assert answer.json() == {
        "error_code": 422,
        "message": "schema: stands there more than once; send it once",
    }
