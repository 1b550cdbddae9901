"""`/livez`, `/readyz`, `/metrics`: for who watches the process. Outside `/v1`, without a token."""

from collections.abc import Callable, Mapping

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from broker.metrics import SERVE, exposition

Check = Callable[[], str | None]
"""None if all is well, else why not, in a sentence."""


def health_router(*, live: Check, ready: Mapping[str, Check]) -> APIRouter:
    """The three routes.

    Args:
        live: says why the process had better be restarted.
        ready: each says why the process does not do its work (yet); all are asked.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    def livez() -> PlainTextResponse:
        return _answer(live())

    @router.get("/readyz")
    def readyz() -> PlainTextResponse:
        said = {name: check() for name, check in ready.items()}
        return _answer("; ".join(f"{name}: {why}" for name, why in said.items() if why) or None)

    @router.get("/metrics")
    def metrics() -> Response:
        return Response(exposition(SERVE), media_type=CONTENT_TYPE_LATEST)

    return router


def _answer(why: str | None) -> PlainTextResponse:
    return PlainTextResponse(f"{why or 'ok'}\n", status_code=503 if why else 200)
