"""`/v1/subscriptions`: rights to products, for those who buy and those who sell."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from broker.api.calls import CallDep, ObjectPath
from broker.api.etags import RevisionDep, TagDep
from broker.api.fields import WHOLE, Body, GivenReason, ObjectId, Reason, View
from broker.api.idempotency import Created, OnceDep
from broker.api.pages import INTEGER_MAX, Page, WantedDep
from broker.api.problems import declared
from broker.control import cutovers, subscriptions
from broker.control.cutovers import Cutover
from broker.domain.plan import VERSIONS_MAX
from broker.domain.subscription import Act, State, Subscription

router = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])

_TERM_MAX_S = 10 * 366 * 24 * 60 * 60
Version = Annotated[int, Field(ge=1, le=VERSIONS_MAX), WHOLE]


class NewSubscription(Body):
    """A product to ask for."""

    id: ObjectId
    product: ObjectId
    plan: ObjectId
    plan_version: Version | None = Field(
        default=None, description="null: the newest version on sale."
    )
    term_s: Annotated[int, Field(ge=1, le=_TERM_MAX_S), WHOLE] | None = Field(
        default=None, description="When it expires; null: never."
    )
    reason: Reason = ""


class Agreement(Body):
    """Why, if you like to say."""

    reason: Reason = ""


class Refusal(Body):
    """Why."""

    reason: GivenReason


class Replan(Body):
    """Which plan version to pin."""

    plan: ObjectId
    plan_version: Version | None = Field(
        default=None, description="null: the newest version on sale."
    )
    reason: Reason = ""


class SubscriptionView(View):
    """A right to a product."""

    id: str
    organisation: str
    product: str
    plan: str
    plan_version: int
    delivery_topic: str
    state: State
    requested_at: datetime
    requested_by: str
    expires_at: datetime | None
    activated_at: datetime | None
    ended_at: datetime | None
    period_anchor_ms: int | None
    period_length_ms: int | None
    revision: int


class TransitionView(View):
    """One line of its history; `seq` is that of its control event."""

    number: int
    transition: Act
    state: State
    plan: str
    plan_version: int
    at: datetime
    by: str
    reason: str
    seq: int | None


class CutoverView(View):
    """Where the last change took effect: offset by partition, null where it is not proven yet."""

    subscription: str
    transition: Act
    seq: int
    at: datetime
    offsets: dict[int, int | None]
    complete: bool


@router.post("", status_code=201, response_model=SubscriptionView, responses=declared(404, 409))
def request_subscription(body: NewSubscription, call: CallDep, once: OnceDep) -> Response:
    """Ask for a product under a plan."""

    def make() -> Created:
        now = call.now
        made = subscriptions.request(
            call.session,
            body.id,
            product_id=body.product,
            plan_id=body.plan,
            plan_version=body.plan_version,
            expires_at=None if body.term_s is None else now + timedelta(seconds=body.term_s),
            reason=body.reason,
            by=call.actor,
            now=now,
        )
        view = SubscriptionView.model_validate(made)
        return Created(view, f"/v1/subscriptions/{made.id}", made.revision)

    return once(body, make)


@router.get("", response_model=Page[SubscriptionView], responses=declared())
def list_subscriptions(
    call: CallDep,
    wanted: WantedDep,
    product: Annotated[ObjectId | None, Query(description="Of this product alone.")] = None,
) -> dict[str, Any]:
    """What you buy and what is bought of you; for the operator, all."""
    found = subscriptions.search(
        call.session, product_id=product, by=call.actor, after=wanted.after, limit=wanted.fetch
    )
    return wanted.page(found, key=lambda one: one.id)


@router.get("/{organisation}/{name}", response_model=SubscriptionView, responses=declared(404))
def read_subscription(
    object_id: ObjectPath,
    call: CallDep,
    tags: TagDep,
) -> Subscription:
    """One subscription."""
    found = subscriptions.get(call.session, object_id, by=call.actor)
    return tags.show(found)


@router.get(
    "/{organisation}/{name}/history",
    response_model=Page[TransitionView],
    responses=declared(404),
)
def read_history(
    object_id: ObjectPath,
    call: CallDep,
    wanted: WantedDep,
) -> dict[str, Any]:
    """What happened to it, oldest first: when, by whom, why."""
    found = subscriptions.history(
        call.session,
        object_id,
        by=call.actor,
        after=wanted.after_number(INTEGER_MAX),
        limit=wanted.fetch,
    )
    return wanted.page(found, key=lambda one: one.number)


@router.get(
    "/{organisation}/{name}/cutover", response_model=CutoverView, responses=declared(404, 409)
)
def read_cutover(object_id: ObjectPath, call: CallDep) -> Cutover:
    """Where in each partition its last change took effect."""
    return cutovers.cutover(call.session, object_id, by=call.actor)


def _add_act(name: str, verb: Callable[..., Subscription], body_type: type[Body], doc: str) -> None:
    """Add `POST …/<name>`: the acts differ in nothing but the verb and whether it needs a why."""

    def act(
        object_id: ObjectPath,
        body: Any,
        call: CallDep,
        tags: RevisionDep,
    ) -> Subscription:
        changed = verb(
            call.session,
            object_id,
            by=call.actor,
            reason=body.reason,
            now=call.now,
            if_revision=tags.expected,
        )
        return tags.show(changed)

    act.__annotations__["body"] = body_type
    router.add_api_route(
        f"/{{organisation}}/{{name}}/{name}",
        act,
        methods=["POST"],
        name=f"{name}_subscription",
        description=doc,
        response_model=SubscriptionView,
        responses=declared(403, 404, 409, 412),
    )


_add_act("approve", subscriptions.approve, Agreement, "Agree, as the seller.")
_add_act("reject", subscriptions.reject, Refusal, "Decline, as the seller.")
_add_act("suspend", subscriptions.suspend, Refusal, "Stop delivery until resumed, as the seller.")
_add_act("resume", subscriptions.resume, Agreement, "Deliver again, as the seller.")
_add_act("revoke", subscriptions.revoke, Refusal, "End it for good; either side may.")
_add_act("expire", subscriptions.expire, Refusal, "End its term now, as the operator.")


@router.post(
    "/{organisation}/{name}/replan",
    response_model=SubscriptionView,
    responses=declared(403, 404, 409, 412),
)
def replan_subscription(
    object_id: ObjectPath,
    body: Replan,
    call: CallDep,
    tags: RevisionDep,
) -> Subscription:
    """Pin another plan version, as the buyer."""
    replanned = subscriptions.replan(
        call.session,
        object_id,
        plan_id=body.plan,
        plan_version=body.plan_version,
        by=call.actor,
        reason=body.reason,
        now=call.now,
        if_revision=tags.expected,
    )
    return tags.show(replanned)
