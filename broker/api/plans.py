"""`/v1/plans`: what your products cost; prices stand in their versions."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from broker.api.calls import CallDep, ObjectPath
from broker.api.etags import RevisionDep, TagDep
from broker.api.fields import Body, Line, ObjectId, View
from broker.api.idempotency import Created, OnceDep
from broker.api.pages import Page, WantedDep
from broker.api.problems import declared
from broker.control import plans
from broker.domain.plan import Plan

router = APIRouter(prefix="/v1/plans", tags=["plans"])


class NewPlan(Body):
    """A plan to name."""

    id: ObjectId
    product: ObjectId
    title: Line


class PlanChange(Body):
    """What may change."""

    title: Line


class PlanView(View):
    """A plan; its price stands in its versions."""

    id: str
    organisation: str
    product: str
    title: str
    created_at: datetime
    created_by: str
    revision: int


@router.post("", status_code=201, response_model=PlanView, responses=declared(404, 409))
def create_plan(body: NewPlan, call: CallDep, once: OnceDep) -> Response:
    """Name a plan of one of your products."""

    def make() -> Created:
        made = plans.create(
            call.session,
            body.id,
            product_id=body.product,
            title=body.title,
            by=call.actor,
            now=call.now,
        )
        return Created(PlanView.model_validate(made), f"/v1/plans/{made.id}", made.revision)

    return once(body, make)


@router.get("", response_model=Page[PlanView], responses=declared())
def list_plans(
    call: CallDep,
    wanted: WantedDep,
    product: Annotated[ObjectId | None, Query(description="Of this product alone.")] = None,
) -> dict[str, Any]:
    """Your plans; for the operator, all."""
    found = plans.search(
        call.session, product_id=product, by=call.actor, after=wanted.after, limit=wanted.fetch
    )
    return wanted.page(found, key=lambda one: one.id)


@router.get("/{organisation}/{name}", response_model=PlanView, responses=declared(404))
def read_plan(
    object_id: ObjectPath,
    call: CallDep,
    tags: TagDep,
) -> Plan:
    """One of your plans, or one that a subscription of yours has had."""
    return tags.show(plans.get(call.session, object_id, by=call.actor))


@router.patch("/{organisation}/{name}", response_model=PlanView, responses=declared(404, 412))
def change_plan(
    object_id: ObjectPath,
    body: PlanChange,
    call: CallDep,
    tags: RevisionDep,
) -> Plan:
    """Change its title."""
    changed = plans.describe(
        call.session, object_id, title=body.title, by=call.actor, if_revision=tags.expected
    )
    return tags.show(changed)
