"""Requests, attempts, pages and errors of the API's client, over a transport in memory."""

import json
from collections.abc import Callable

import httpx
import pytest

from broker.client import (
    ApiError,
    ChangedError,
    Client,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    ServiceError,
    UnauthenticatedError,
    UnavailableError,
    UnreachableError,
)
from broker.errors import InvalidFieldError

ME = {"name": "operator", "role": "operator", "organisation": None}
ORGANISATION = {
    "id": "acme",
    "name": "Acme",
    "created_at": "2026-03-01T12:00:00Z",
    "created_by": "operator",
    "revision": 1,
}
Answer = Callable[[httpx.Request], httpx.Response]


class Api:
    """Answers one request after the other, and remembers them and the pauses between."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []
        self.client = Client(
            "http://api", "secret", http=httpx.MockTransport(self._answer), pause=self.pauses.append
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def problem(status: int, **fields: str) -> httpx.Response:
    """Problem details."""
    body = {"type": "/problems/some", "title": "t", "status": status, "detail": "d", **fields}
    return httpx.Response(
        status, content=json.dumps(body), headers={"Content-Type": "application/problem+json"}
    )


def test_token_is_sent_and_never_shown() -> None:
    """The bearer token goes with each request; no text of an error holds it."""
    api = Api(httpx.Response(200, json=ME), problem(403))

    api.client.me()
    with pytest.raises(ForbiddenError) as raised:
        api.client.me()

    assert api.requests[0].headers["Authorization"] == "Bearer secret"
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("token", ["first\nsecond", "two words", "caf\xe9", ""])
def test_token_that_no_header_can_hold(token: str) -> None:
    """A file of two lines, or of other text, is refused before it is sent, and not shown."""
    with pytest.raises(InvalidFieldError, match=r"^token: must be one word") as raised:
        Client("http://api", token)

    assert not token or token not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InvalidRequestError),
        (401, UnauthenticatedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (412, ChangedError),
        (413, InvalidRequestError),
        (422, InvalidRequestError),
        (500, ServiceError),
    ],
)
def test_each_status_has_its_error(status: int, error: type[ApiError]) -> None:
    """Errors are told apart by class, and each keeps what the API said."""
    api = Api(problem(status, field="price.tiers[1]", detail="must be above 10"))

    with pytest.raises(error, match="must be above 10") as raised:
        api.client.me()

    assert raised.value.status_code == status
    assert raised.value.field == "price.tiers[1]"
    assert raised.value.request_id == api.requests[0].headers["X-Request-Id"]
    assert len(api.requests) == 1


def test_fault_decides_the_exit_code() -> None:
    """The caller's fault exits with 2, ours with 1."""
    assert (NotFoundError.exit_code, ServiceError.exit_code) == (2, 1)


def test_unavailable_is_tried_again_with_the_same_key() -> None:
    """A 503 is tried again, a bounded number of times, under one idempotency key."""
    api = Api(problem(503), problem(503), httpx.Response(201, json=ORGANISATION))

    made = api.client.organisations.create("acme", name="Acme")

    keys = {request.headers["Idempotency-Key"] for request in api.requests}
    assert made.id == "acme"
    assert len(api.requests) == 3
    assert len(keys) == 1
    assert api.pauses == sorted(api.pauses)


def test_unavailable_ends_after_four_attempts() -> None:
    """What stays unavailable is said after four attempts."""
    api = Api(*[problem(503)] * 4)

    with pytest.raises(UnavailableError):
        api.client.me()

    assert len(api.requests) == 4
    assert len(api.pauses) == 3


def test_pause_that_the_api_asks_for_is_bounded() -> None:
    """Retry-After is heeded, up to five seconds."""
    slow = problem(503)
    slow.headers["Retry-After"] = "3600"
    api = Api(slow, httpx.Response(200, json=ME))

    api.client.me()

    assert api.pauses == [5.0]


def test_connection_that_is_refused_is_tried_again() -> None:
    """Nothing was sent, so trying again is safe; the error at the end says what to do."""
    api = Api(*[httpx.ConnectError("refused")] * 4)

    with pytest.raises(UnreachableError, match="WEIR_API_URL"):
        api.client.me()

    assert len(api.requests) == 4


def test_lost_answer_is_not_tried_again() -> None:
    """Whether it was done is unknown, and that is what is said."""
    api = Api(httpx.ReadTimeout("late"))

    with pytest.raises(UnreachableError, match="unknown"):
        api.client.subscriptions.approve("grid/feed")

    assert len(api.requests) == 1


def test_every_post_has_a_key_unless_given() -> None:
    """Two creations have different keys; a key of the caller's own is sent as it is."""
    api = Api(*[httpx.Response(201, json=ORGANISATION)] * 3)

    api.client.organisations.create("acme", name="Acme")
    api.client.organisations.create("acme", name="Acme")
    api.client.organisations.create("acme", name="Acme", idempotency_key="mine")

    first, second, third = (request.headers["Idempotency-Key"] for request in api.requests)
    assert first != second
    assert third == "mine"


def test_pages_are_one_iterator() -> None:
    """Pages are asked for as they are needed, until there is no next one."""
    pages = [
        {"items": [{**ORGANISATION, "id": "a"}], "next_cursor": "c1"},
        {"items": [{**ORGANISATION, "id": "b"}], "next_cursor": None},
    ]
    api = Api(*[httpx.Response(200, json=page) for page in pages])

    found = api.client.organisations.list()

    assert api.requests == []
    assert [one.id for one in found] == ["a", "b"]
    assert "cursor" not in api.requests[0].url.params
    assert api.requests[1].url.params["cursor"] == "c1"


def test_answer_that_is_no_problem_is_quoted() -> None:
    """A proxy's page instead of ours: its status and its first words are in the error."""
    api = Api(httpx.Response(502, text="<html>bad gateway"))

    with pytest.raises(ServiceError, match="502: <html>bad gateway"):
        api.client.me()


def test_address_without_scheme_is_refused() -> None:
    """The address must say how to speak to it."""
    with pytest.raises(InvalidFieldError, match="http://"):
        Client("api:80", "secret")
