"""Bounds on what a request may bring, seen before anything reads it.

Bodies up to 1 MiB, refused with 413 past that; JSON in which no object names a field twice, refused
with 422 otherwise.
"""

from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker.api.problems import problem
from broker.api.repeats import repeated_field
from broker.registry.answers import refusal

BODY_MAX_BYTES: Final = 1024 * 1024
_REGISTRY: Final = "/registry/"


class BodyLimit:
    """ASGI middleware. Believes no Content-Length: it counts what arrives."""

    def __init__(self, app: ASGIApp, max_bytes: int = BODY_MAX_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body whole, up to the bound, then hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client has gone
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._max_bytes:
                detail = f"body: must have at most {self._max_bytes} bytes; send less"
                await _refused(scope, 413, detail)(scope, receive, send)
                return
        field = repeated_field(bytes(body))
        if field is not None:
            detail = f"{field}: stands there more than once; send it once"
            await _refused(scope, 422, detail, field=field)(scope, receive, send)
            return
        await self._app(scope, _Replay(bytes(body), receive), send)


def _refused(scope: Scope, status: int, detail: str, field: str | None = None) -> Response:
    """In the shape that the clients of either read."""
    if scope["path"].startswith(_REGISTRY):
        return refusal(status, status, detail)
    return problem(status, detail, field=field)


class _Replay:
    """Gives the body that was read, then what the server says."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._message: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._receive = receive

    async def __call__(self) -> Message:
        if self._message is None:
            return await self._receive()
        message, self._message = self._message, None
        return message
