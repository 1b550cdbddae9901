"""Transport: one request of the API, with its deadlines, its attempts and its errors.

Only what certainly or harmlessly may be repeated is: a connection that was not made, and an answer
of 503. Every POST carries an idempotency key, the same in every attempt.
"""

import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Self

import httpx

from broker.client.errors import Problem, UnreachableError, error_of
from broker.errors import InvalidFieldError

ATTEMPTS_MAX = 4
PAGE_LIMIT = 100
_PAUSE_FIRST_S = 0.2
_PAUSE_MAX_S = 5.0
_CONNECT_TIMEOUT_S = 5.0
_TIMEOUT_S = 30.0
_UNAVAILABLE = 503
_PROBLEM = "application/problem+json"
_TOKEN = re.compile(r"[!-~]+")


class Transport:
    """Speaks HTTP for the nouns; a context manager, or `close`.

    Args:
        url: where the API is, without `/v1`.
        token: of an organisation, or the operator's.
        timeout_s: for each attempt.
        http: another httpx transport, for tests.
        pause: waits so many seconds between attempts.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float = _TIMEOUT_S,
        http: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise InvalidFieldError(
                "WEIR_API_URL", f"must begin with http:// or https://, is {url}"
            )
        # What no header can hold would be shown by the library's error.
        if not _TOKEN.fullmatch(token):
            raise InvalidFieldError(
                "token",
                "must be one word of letters, digits and signs; look at the file or variable that "
                "holds it",
            )
        self._url = url
        self._pause = pause
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(timeout_s, connect=_CONNECT_TIMEOUT_S),
            transport=http,
            # The environment's proxy is for what lies outside: it cannot reach this machine's own.
            trust_env=not _is_here(url),
        )

    def get(self, path: str, **params: object) -> Any:
        """The body of `GET path`; parameters that are None are left out.

        Raises:
            ApiError: anything but success.
        """
        return self._send("GET", path, params=params).json()

    def date(self) -> str | None:
        """The API's own clock, as its `Date` header says it; None where nobody answers.

        Needs no token: asked when something else may be wrong.
        """
        try:
            said: str | None = self._http.get("/livez").headers.get("Date")
        except httpx.HTTPError:
            return None
        return said

    def post(
        self,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        idempotency_key: str | None = None,
        if_match: int | None = None,
    ) -> Any:
        """The body of the answer.

        Args:
            path: under `/v1`, with it.
            body: JSON; None sends none.
            idempotency_key: what is repeated with it creates nothing twice; made up if None.
            if_match: the revision that the caller has read.

        Raises:
            ApiError: anything but success.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex, **_if_match(if_match)}
        return self._send("POST", path, json=body, headers=headers).json()

    def put(self, path: str, body: Mapping[str, object], *, if_match: int | None = None) -> Any:
        """The body of the answer.

        Raises:
            ApiError: anything but success.
        """
        return self._send("PUT", path, json=body, headers=_if_match(if_match)).json()

    def patch(self, path: str, body: Mapping[str, object], *, if_match: int | None = None) -> Any:
        """The body of the answer.

        Raises:
            ApiError: anything but success.
        """
        return self._send("PATCH", path, json=body, headers=_if_match(if_match)).json()

    def delete(self, path: str) -> Any:
        """The body of the answer: what it was.

        Raises:
            ApiError: anything but success.
        """
        return self._send("DELETE", path).json()

    def pages(self, path: str, **params: object) -> Iterator[Any]:
        """Every item of a list, page by page, as it is asked for.

        Raises:
            ApiError: anything but success.
        """
        cursor = None
        while True:
            page = self.get(path, limit=PAGE_LIMIT, cursor=cursor, **params)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        given = {name: value for name, value in (params or {}).items() if value is not None}
        attempt = 1
        while True:
            request_id = uuid.uuid4().hex
            request = self._http.build_request(
                method,
                path,
                params=given,
                json=json,
                headers={**(headers or {}), "X-Request-Id": request_id},
            )
            last = attempt >= ATTEMPTS_MAX
            answer = self._attempt(request, request_id, last=last)
            if answer is not None and answer.is_success:
                return answer
            if answer is not None and (last or answer.status_code != _UNAVAILABLE):
                raise error_of(_problem(answer, request_id))
            self._pause(_pause_s(attempt, answer))
            attempt += 1

    def _attempt(
        self, request: httpx.Request, request_id: str, *, last: bool
    ) -> httpx.Response | None:
        """The answer; None where no connection was made and another attempt is left."""
        try:
            return self._http.send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if last:
                raise self._unreachable(f"cannot be reached ({error})", request_id) from error
            return None
        except httpx.TimeoutException as error:
            words = "did not answer in time; whether it did what was asked is unknown"
            raise self._unreachable(words, request_id) from error
        except httpx.HTTPError as error:
            words = f"broke off ({error}); whether it did what was asked is unknown"
            raise self._unreachable(words, request_id) from error

    def _unreachable(self, words: str, request_id: str) -> UnreachableError:
        return UnreachableError(
            Problem(
                status=0,
                slug="unreachable",
                detail=(
                    f"the API at {self._url} {words}; see `weir status`, start it with `weir up`, "
                    "or set WEIR_API_URL to where it is"
                ),
                field=None,
                request_id=request_id,
            )
        )


def _is_here(url: str) -> bool:
    host = httpx.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _if_match(revision: int | None) -> dict[str, str]:
    return {} if revision is None else {"If-Match": f'"{revision}"'}


def _pause_s(attempt: int, answer: httpx.Response | None) -> float:
    """Twice as long each time, or as long as the API asks for, bounded."""
    asked = "" if answer is None else answer.headers.get("Retry-After", "")
    pause_s = float(asked) if asked.isdecimal() else _PAUSE_FIRST_S * 2 ** (attempt - 1)
    return min(pause_s, _PAUSE_MAX_S)


def _problem(answer: httpx.Response, request_id: str) -> Problem:
    body: dict[str, Any] = {}
    if answer.headers.get("Content-Type", "").startswith(_PROBLEM):
        body = answer.json()
    said = answer.text[:200].strip() or "nothing"
    foreign = (
        f"{answer.url.path} was answered {answer.status_code}: {said}; that is no answer of "
        "Weir's API: look at WEIR_API_URL, and at what stands before the API"
    )
    return Problem(
        status=answer.status_code,
        slug=str(body.get("type", "")).rpartition("/")[2],
        detail=body.get("detail") or foreign,
        field=body.get("field"),
        request_id=answer.headers.get("X-Request-Id", request_id),
    )
