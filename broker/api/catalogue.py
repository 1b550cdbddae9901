"""`/v1/catalogue`: what anybody on the exchange may buy, and on which plans."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from broker.api.calls import CallDep, ObjectPath
from broker.api.fields import View
from broker.api.pages import Page, WantedDep
from broker.api.plan_versions import VersionView, version_view
from broker.api.problems import declared
from broker.control import plans, products
from broker.domain.events import Validation
from broker.domain.product import Classification

router = APIRouter(prefix="/v1/catalogue", tags=["catalogue"])

_PLANS_MAX = 100
Words = Annotated[
    str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1F\x7F]*$")
]


class OfferView(View):
    """A product on sale."""

    id: str
    organisation: str
    title: str
    description: str
    classification: Classification
    subject: str
    partitions: int
    retention_ms: int
    record_max_bytes: int
    validation: Validation
    event_time_field: str | None
    published_at: datetime | None


class PlanOfferView(View):
    """A plan on sale, with its newest published version."""

    id: str
    title: str
    version: VersionView


class OfferDetail(OfferView):
    """A product on sale with its plans."""

    plans: list[PlanOfferView]


@router.get("", response_model=Page[OfferView], responses=declared())
def list_offers(
    call: CallDep,
    wanted: WantedDep,
    words: Annotated[Words | None, Query(description="In id, title or description.")] = None,
) -> dict[str, Any]:
    """Products on sale."""
    found = products.search_offered(
        call.session, words=words, after=wanted.after, limit=wanted.fetch
    )
    return wanted.page(found, key=lambda one: one.id)


@router.get("/{organisation}/{name}", responses=declared(404))
def read_offer(object_id: ObjectPath, call: CallDep) -> OfferDetail:
    """One product on sale, with its plans and prices."""
    product = products.get_offered(call.session, object_id)
    offered = plans.offered_for(call.session, product.id, limit=_PLANS_MAX)
    views = [
        PlanOfferView(id=plan.id, title=plan.title, version=version_view(version))
        for plan, version in offered
    ]
    return OfferDetail(**OfferView.model_validate(product).model_dump(), plans=views)
