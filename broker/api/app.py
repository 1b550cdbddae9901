"""The composition root: services in, an ASGI app out."""

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi

from broker import __version__
from broker.api import (
    accounts,
    catalogue,
    checks,
    invoices,
    operator_fee,
    organisations,
    periods,
    plan_versions,
    plans,
    problems,
    products,
    status,
    subscriptions,
    tokens,
)
from broker.api.limits import BodyLimit
from broker.api.measure import Measure
from broker.api.price_schema import price_schemas
from broker.api.queries import check_query
from broker.api.services import Services

ROUTERS = (
    organisations.router,
    tokens.router,
    accounts.router,
    products.router,
    checks.router,
    plans.router,
    plan_versions.router,
    catalogue.router,
    subscriptions.router,
    periods.router,
    invoices.router,
    operator_fee.router,
    status.router,
)


_WITH_PRICE = ("TermsIn", "VersionView")


def create_app(services: Services) -> FastAPI:
    """The app that answers `/v1`. Starts nothing: what runs beside it is `weir serve`'s."""
    app = FastAPI(
        title="Weir",
        version=__version__,
        description=(__doc__ or "").strip(),
        openapi_url="/v1/openapi.json",
        docs_url="/v1/docs",
        redoc_url=None,
        dependencies=[Depends(check_query)],
    )
    app.state.services = services
    for router in ROUTERS:
        app.include_router(router)
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(Measure)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document with our problem and price schemas in it."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description="An exchange for industrial event streams.",
            routes=app.routes,
        )
        schemas = document["components"]["schemas"]
        schemas |= {"Problem": problems.SCHEMA, **price_schemas()}
        for name in _WITH_PRICE:
            schemas[name]["properties"]["price"] = {"$ref": "#/components/schemas/Price"}
        _without_null_parameters(document)
        app.openapi_schema = document
    return app.openapi_schema


def _without_null_parameters(document: dict[str, Any]) -> None:
    """A header or query parameter is left out, never null: say so."""
    operations = (one for path in document["paths"].values() for one in path.values())
    for parameter in (one for operation in operations for one in operation.get("parameters", ())):
        schema = parameter["schema"]
        kinds = [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1:
            schema.update(kinds[0])
        elif kinds:
            schema["anyOf"] = kinds
