"""`/associations` and `/contexts`: what newer clients ask before the first record."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from broker.registry import associations
from broker.registry.answers import RegistryResponse, declared
from broker.registry.errors import UnsupportedError
from broker.registry.pages import PageDep
from broker.registry.services import ActorDep, SessionDep

router = APIRouter(default_response_class=RegistryResponse, tags=["associations"])


@router.get("/associations/resources/{namespace}/{topic}", responses=declared(404))
def list_associations(
    namespace: str,
    topic: str,
    session: SessionDep,
    by: ActorDep,
    page: PageDep,
    *,
    resource_type: Annotated[str | None, Query(alias="resourceType")] = None,
    kinds: Annotated[list[str] | None, Query(alias="associationType")] = None,
) -> list[dict[str, Any]]:
    """The subject of a topic's values. `namespace` is a Kafka cluster's id, or `-` for any."""
    found = associations.of_topic(
        session, topic, by=by, resource_type=resource_type, kinds=kinds or []
    )
    shown = {
        "subject": found.subject,
        "resourceName": found.topic,
        "resourceNamespace": namespace,
        "resourceId": found.topic_id or found.topic,
        "resourceType": "topic",
        "associationType": associations.VALUE,
        "lifecycle": "STRONG",
        "frozen": False,
    }
    return page.of([shown])


@router.post("/associations", responses=declared())
@router.put("/associations", responses=declared())
@router.delete("/associations/resources/{resource_id}", responses=declared())
def refuse_change(by: ActorDep, resource_id: str = "") -> None:  # noqa: ARG001  authenticates, any topic
    """Refused: a product's subject follows from its name."""
    raise UnsupportedError("associations", "follow from products and subscriptions; change those")


@router.get("/contexts", responses=declared())
def list_contexts(by: ActorDep, page: PageDep) -> list[str]:  # noqa: ARG001  authenticates
    """The default context alone."""
    return page.of(["."])
