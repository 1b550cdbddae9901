"""Errors as RFC 9457 problem details, `application/problem+json`.

One shape for our own errors, FastAPI's validation, unknown routes and what nobody foresaw:
`type` (`/problems/<slug>`), `title`, `status`, `detail`, and `field` where one is at fault.
"""

import re
import traceback
from collections.abc import Sequence
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from broker.errors import InvalidFieldError, UnavailableError, WeirError

MEDIA_TYPE: Final = "application/problem+json"
SCHEMA: Final[dict[str, Any]] = {
    "title": "Problem",
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "`/problems/<slug>`: one a kind of problem."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do."},
        "field": {"type": "string", "description": "The field at fault, as the caller wrote it."},
        "errors": {
            "type": "array",
            "description": "Each field at fault, where there are several.",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
_ERRORS_SHOWN_MAX: Final = 20
_TITLES: Final = {
    400: ("bad-request", "Bad request"),
    401: ("unauthenticated", "Unauthenticated"),
    403: ("forbidden", "Forbidden"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    409: ("conflict", "Conflict"),
    412: ("precondition-failed", "Precondition failed"),
    413: ("too-large", "Too large"),
    415: ("unsupported-media-type", "Unsupported media type"),
    422: ("invalid-field", "Invalid field"),
    500: ("internal", "Internal error"),
    503: ("unavailable", "Unavailable"),
}
_log = structlog.get_logger()


def problem(
    status: int,
    detail: str,
    *,
    slug: str | None = None,
    title: str | None = None,
    field: str | None = None,
    errors: Sequence[dict[str, str]] = (),
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """One problem as a response."""
    default_slug, default_title = _TITLES.get(status, ("http", "Error"))
    body: dict[str, Any] = {
        "type": f"/problems/{slug or default_slug}",
        "title": title or default_title,
        "status": status,
        "detail": detail,
    }
    if field:
        body["field"] = field
    if errors:
        body["errors"] = list(errors)
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: these problems, and those that every route can have."""
    return {
        status: {
            "description": _TITLES[status][1],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({400, 401, 413, 415, 422, 503, *statuses})
    }


def of_error(error: WeirError) -> JSONResponse:
    """An error of ours as a response; its text names the object, the rule and the remedy."""
    field = error.field if isinstance(error, InvalidFieldError) else None
    headers = {"WWW-Authenticate": "Bearer"} if error.status == _UNAUTHENTICATED else None
    return problem(
        error.status, str(error), slug=error.slug, title=error.title, field=field, headers=headers
    )


_UNAUTHENTICATED: Final = 401


def install(app: FastAPI) -> None:
    """Answer every error of this app by a problem."""

    @app.exception_handler(WeirError)
    def _ours(request: Request, error: WeirError) -> JSONResponse:
        if error.status >= _INTERNAL:
            _log.error("request failed", path=request.url.path, error=str(error))
        return of_error(error)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        sent = request.headers.get("content-type", "")
        if not _JSON.match(sent) and any(_is_unread_body(one) for one in error.errors()):
            return problem(415, f"body: must be sent as application/json, is {sent[:100]!a}")
        return _validation(error)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers) if error.headers else None
        cause = error.__cause__
        if error.status_code == _BAD_REQUEST and isinstance(cause, ValueError | RecursionError):
            return problem(_BAD_REQUEST, f"body: {_unread(cause)}", field="body")
        detail = _no_route(request, error) or str(error.detail)
        return problem(error.status_code, detail, headers=headers)

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    @app.exception_handler(PoolTimeoutError)
    def _database(request: Request, error: Exception) -> JSONResponse:
        _log.error("database failed", path=request.url.path, error=type(error).__name__)
        return of_error(UnavailableError("the database does not answer; try again"))

    @app.exception_handler(Exception)
    def _unforeseen(request: Request, error: Exception) -> JSONResponse:
        # Formatted here, since renderers that show local variables would show tokens.
        trace = "".join(traceback.format_exception(error))
        _log.error("request failed", path=request.url.path, trace=trace)
        return problem(500, "something of ours failed; it is in our log")


_INTERNAL: Final = 500


_BAD_REQUEST: Final = 400
_NOT_FOUND: Final = 404
_NOT_ALLOWED: Final = 405
_JSON: Final = re.compile(r"application/([\w.-]+\+)?json\s*(;|$)", re.ASCII | re.IGNORECASE)
_SHOWN_LENGTH_MAX: Final = 80
_PATH_SHOWN_LENGTH_MAX: Final = 200
_RULES: Final = {
    "missing": "is missing; send it",
    "extra_forbidden": "is not known here; leave it out",
}

# Rules of `broker.domain.names`, which name the value themselves.
_TELL_THE_VALUE: Final = frozenset({"slug", "object_id"})


def _is_unread_body(error: dict[str, Any]) -> bool:
    return tuple(error["loc"]) == ("body",) and error["type"] != "missing"


def _no_route(request: Request, error: HTTPException) -> str | None:
    """What is wrong with a path or method that no route has; None for another error."""
    path = ascii(request.url.path[:_PATH_SHOWN_LENGTH_MAX])[1:-1]
    if error.status_code == _NOT_FOUND:
        return f"{path}: there is no such path; /v1/openapi.json names those there are"
    if error.status_code == _NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another method")
        return f"{path}: does not take {ascii(request.method[:20])[1:-1]}; it takes {allowed}"
    return None


def _unread(cause: Exception) -> str:
    """Why a body could not be read, and what to do."""
    if isinstance(cause, RecursionError):
        return "is nested too deeply to be read; send what is documented"
    if isinstance(cause, UnicodeDecodeError):
        return f"is not UTF-8 at byte {cause.start}; send it as UTF-8"
    return "holds a number of too many digits; send what is documented"


def _validation(error: RequestValidationError) -> JSONResponse:
    errors = [
        {"field": field_name(one["loc"]) or str(one["loc"][0]), "detail": _rule(one)}
        for one in error.errors()[:_ERRORS_SHOWN_MAX]
    ]
    first = errors[0]
    return problem(422, f"{first['field']}: {first['detail']}", field=first["field"], errors=errors)


def _rule(error: dict[str, Any]) -> str:
    """The rule, and the value that breaks it where it is short and one value."""
    if error["type"] == "json_invalid":
        why = error.get("ctx", {}).get("error", "")
        return f"is no JSON at character {error['loc'][-1]} ({why}); mend it"
    rule = _RULES.get(error["type"])
    if rule is not None:
        return rule
    value = error.get("input")
    if error["type"] in _TELL_THE_VALUE or not isinstance(value, str | int | float):
        return str(error["msg"])
    # Escaped, since a lone surrogate could not be sent, nor should a terminal be moved.
    shown = ascii(value[:_SHOWN_LENGTH_MAX] if isinstance(value, str) else value)
    return f"{error['msg']}, is {shown[:_SHOWN_LENGTH_MAX]}"


def field_name(location: Sequence[str | int]) -> str:
    """`("body", "price", "tiers", 1, "up_to")` is `price.tiers[1].up_to`.

    >>> field_name(("query", "limit"))
    'limit'
    """
    name = ""
    for part in location[1:]:
        if isinstance(part, int):
            # A bare number is a place in text that is no JSON, not an index.
            name += f"[{part}]" if name else ""
        else:
            name += f".{part}" if name else part
    return name
