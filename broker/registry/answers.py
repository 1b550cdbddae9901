"""Answers: Confluent's media type, and errors as its clients read them."""

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

from broker.errors import WeirError

MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
# Errors that have no code of their own: Confluent's, where it has one for the case.
_CODES: Final = {401: 40101, 403: 40301, 404: 404, 409: 409, 422: 422, 503: 50301}
_UNAUTHENTICATED: Final = 401
_INTERNAL: Final = 500
_NOT_FOUND: Final = 404
_ERRORS_SHOWN_MAX: Final = 5
_PATH_SHOWN_MAX: Final = 200
_log = structlog.get_logger()


class RegistryResponse(JSONResponse):
    """JSON under the media type that clients ask for."""

    media_type = MEDIA_TYPE


ERROR_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error_code", "message"],
    "properties": {
        "error_code": {"type": "integer", "description": "The status, then what exactly."},
        "message": {"type": "string", "description": "What is wrong and what to do."},
    },
}


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: these errors, and those that every route can have."""
    return {
        status: {
            "description": "An error.",
            "content": {MEDIA_TYPE: {"schema": ERROR_SCHEMA}},
        }
        for status in sorted({400, 401, 422, 503, *statuses})
    }


def refusal(
    status: int, error_code: int, message: str, headers: dict[str, str] | None = None
) -> RegistryResponse:
    """One error as a response."""
    body = {"error_code": error_code, "message": message}
    return RegistryResponse(body, status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Answer every error of this app in Confluent's shape."""

    @app.exception_handler(WeirError)
    def _ours(request: Request, error: WeirError) -> RegistryResponse:
        if error.status >= _INTERNAL:
            _log.error("registry request failed", path=request.url.path, error=str(error))
        code = getattr(error, "error_code", _CODES.get(error.status, error.status))
        challenge = {"WWW-Authenticate": 'Basic realm="registry"'}
        headers = challenge if error.status == _UNAUTHENTICATED else None
        return refusal(error.status, code, str(error), headers)

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, error: RequestValidationError) -> RegistryResponse:
        said = [f"{_field(one['loc'])}: {one['msg']}" for one in error.errors()[:_ERRORS_SHOWN_MAX]]
        return refusal(422, 422, "; ".join(said))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> RegistryResponse:
        headers = dict(error.headers) if error.headers else None
        said = str(error.detail)
        if error.status_code == _NOT_FOUND:
            path = request.url.path.removeprefix(request.scope.get("root_path", ""))
            said = f"{path[:_PATH_SHOWN_MAX]}: there is no such path; see docs/registry.md"
        return refusal(error.status_code, error.status_code, said, headers)

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    @app.exception_handler(PoolTimeoutError)
    def _database(request: Request, error: Exception) -> RegistryResponse:
        _log.error("database failed", path=request.url.path, error=type(error).__name__)
        return refusal(503, 50301, "the database does not answer; try again")

    @app.exception_handler(Exception)
    def _unforeseen(request: Request, error: Exception) -> RegistryResponse:
        trace = "".join(traceback.format_exception(error))
        _log.error("registry request failed", path=request.url.path, trace=trace)
        return refusal(500, 50001, "something of ours failed; it is in our log")


def _field(place: Sequence[int | str]) -> str:
    """A field as its sender wrote it: without where it came in, which pydantic has first."""
    return ".".join(str(part) for part in place[1:]) or str(place[0])
