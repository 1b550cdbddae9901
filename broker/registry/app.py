"""The registry as an ASGI app of its own, to be mounted at `/registry`.

An app, not a router: its errors have Confluent's shape, those of `/v1` RFC 9457's.
"""

from fastapi import FastAPI

from broker import __version__
from broker.registry import answers
from broker.registry.routes import associations, compatibility, config, schemas, subjects
from broker.registry.services import RegistryServices


def registry_app(services: RegistryServices) -> FastAPI:
    """The app. Whoever mounts it bounds the size of bodies."""
    app = FastAPI(
        title="Weir schema registry",
        version=__version__,
        description="The endpoints of Confluent's schema registry that its clients use.",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        default_response_class=answers.RegistryResponse,
    )
    app.state.services = services
    for noun in (subjects, schemas, config, compatibility, associations):
        app.include_router(noun.router)
    answers.install(app)
    return app
