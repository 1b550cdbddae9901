"""Request seconds, labelled by route template: cardinality is that of our routes, not of ids."""

import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker.metrics import REQUEST_SECONDS

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measure:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time one request until its answer is sent."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            REQUEST_SECONDS.labels(method, route_template(scope), str(status)).observe(
                time.perf_counter() - started
            )


def route_template(scope: Scope) -> str:
    """`/v1/products/{organisation}/{name}`; `unmatched` where no route took the request."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    # A mounted app's routes know nothing of where it is mounted.
    return f"{scope.get('root_path', '')}{path}" if isinstance(path, str) else "unmatched"
