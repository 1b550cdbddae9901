"""`/v1/plans/…/versions`: price and terms, which never change once published."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from broker.api.calls import CallDep, ObjectPath
from broker.api.etags import RevisionDep, TagDep
from broker.api.fields import WHOLE, Body, Text, VersionPath, View
from broker.api.idempotency import Created, OnceDep
from broker.api.pages import INTEGER_MAX, Page, WantedDep
from broker.api.problems import declared
from broker.billing.price import parse_price
from broker.control import plans
from broker.domain import plan as rules
from broker.domain.period import LENGTH_MAX_S, LENGTH_MIN_S
from broker.domain.plan import Approval, PlanVersion, State, Terms

router = APIRouter(prefix="/v1/plans/{organisation}/{name}/versions", tags=["plans"])

# In OpenAPI `app.py` puts `schemas/price.schema.json` in its place.
PriceJson = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "title": "Price"})]


def _read(price: dict[str, Any]) -> dict[str, Any]:
    """The price, read once before anything else takes it: what is no price can be nested deep."""
    parse_price(price)
    return price


class MonthlyPeriod(Body):
    """Calendar months."""

    calendar: Literal["month"]
    time_zone: str = Field(
        max_length=64,
        json_schema_extra={"enum": ["UTC", "Europe/Berlin", "Europe/London", "America/New_York"]},
        description="Any IANA name; these are examples.",
    )


class FixedPeriod(Body):
    """Periods of one length, for trials."""

    length_s: Annotated[int, WHOLE] = Field(ge=LENGTH_MIN_S, le=LENGTH_MAX_S)


def _choose(value: object) -> object:
    """By the key that is there, so that what is wrong is told of the kind that was meant."""
    if isinstance(value, MonthlyPeriod | FixedPeriod):
        return value
    given = value if isinstance(value, dict) else {}
    if "length_s" in given:
        return FixedPeriod.model_validate(given)
    if "calendar" in given or "time_zone" in given:
        return MonthlyPeriod.model_validate(given)
    rule = 'must be {"calendar": "month", "time_zone": an IANA name} or {"length_s": seconds}'
    raise PydanticCustomError("period", "{rule}", {"rule": rule})


PeriodJson = Annotated[MonthlyPeriod | FixedPeriod, BeforeValidator(_choose)]


class TermsIn(Body):
    """What a version says."""

    price: Annotated[PriceJson, AfterValidator(_read)]
    period: PeriodJson
    delivery_retention_ms: Annotated[int, WHOLE] = Field(
        default=rules.DELIVERY_RETENTION_DEFAULT_MS,
        ge=rules.DELIVERY_RETENTION_MIN_MS,
        le=rules.DELIVERY_RETENTION_MAX_MS,
        description="How long a buyer can read what was delivered.",
    )
    approval: Approval = Field(
        default="manual", description="automatic: every request is approved at once."
    )
    terms: Text = ""


class VersionView(View):
    """One version of a plan."""

    plan: str
    number: int
    state: State
    price: PriceJson
    period: PeriodJson
    delivery_retention_ms: int
    approval: Approval
    terms: str
    created_at: datetime
    created_by: str
    published_at: datetime | None
    revision: int


@router.post(
    "",
    status_code=201,
    response_model=VersionView,
    responses=declared(404, 409),
)
def draft_version(
    object_id: ObjectPath,
    body: TermsIn,
    call: CallDep,
    once: OnceDep,
) -> Response:
    """Write the next version, as a draft."""

    def make() -> Created:
        version = plans.draft_version(
            call.session, object_id, _terms(body), by=call.actor, now=call.now
        )
        location = f"/v1/plans/{object_id}/versions/{version.number}"
        return Created(version_view(version), location, version.revision)

    return once(body, make)


@router.get(
    "",
    response_model=Page[VersionView],
    responses=declared(404),
)
def list_versions(
    object_id: ObjectPath,
    call: CallDep,
    wanted: WantedDep,
) -> dict[str, Any]:
    """Its versions, oldest first; to a buyer those on sale and those that it has had."""
    found = plans.versions(
        call.session,
        object_id,
        by=call.actor,
        after=wanted.after_number(INTEGER_MAX),
        limit=wanted.fetch,
    )
    return wanted.page([version_view(one) for one in found], key=lambda one: one.number)


@router.get(
    "/{number}",
    responses=declared(404),
)
def read_version(
    object_id: ObjectPath,
    number: VersionPath,
    call: CallDep,
    tags: TagDep,
) -> VersionView:
    """One version: of your own plan, on sale, or that a subscription of yours has had."""
    return tags.show(
        version_view(plans.get_version(call.session, object_id, number, by=call.actor))
    )


@router.put(
    "/{number}",
    responses=declared(404, 409, 412),
)
def replace_version(
    object_id: ObjectPath,
    number: VersionPath,
    body: TermsIn,
    call: CallDep,
    tags: RevisionDep,
) -> VersionView:
    """Write a draft anew; what is published never changes."""
    replaced = plans.replace_version(
        call.session,
        object_id,
        number,
        _terms(body),
        by=call.actor,
        if_revision=tags.expected,
    )
    return tags.show(version_view(replaced))


@router.post(
    "/{number}/publish",
    responses=declared(404, 409, 412),
)
def publish_version(
    object_id: ObjectPath,
    number: VersionPath,
    call: CallDep,
    tags: RevisionDep,
) -> VersionView:
    """Offer it; from here on nothing in it changes."""
    published = plans.publish_version(
        call.session,
        object_id,
        number,
        dispute_window_ms=call.settings.dispute_window_ms,
        by=call.actor,
        now=call.now,
        if_revision=tags.expected,
    )
    return tags.show(version_view(published))


@router.post(
    "/{number}/withdraw",
    responses=declared(404, 409, 412),
)
def withdraw_version(
    object_id: ObjectPath,
    number: VersionPath,
    call: CallDep,
    tags: RevisionDep,
) -> VersionView:
    """Take it from sale; subscriptions that have it keep it."""
    withdrawn = plans.withdraw_version(
        call.session, object_id, number, by=call.actor, if_revision=tags.expected
    )
    return tags.show(version_view(withdrawn))


def version_view(version: PlanVersion) -> VersionView:
    """A version as it is shown."""
    return VersionView.model_validate(
        {
            "plan": version.plan,
            "number": version.number,
            "state": version.state,
            "price": dict(version.terms.price),
            "period": version.terms.period.to_json(),
            "delivery_retention_ms": version.terms.delivery_retention_ms,
            "approval": version.terms.approval,
            "terms": version.terms.text,
            "created_at": version.created_at,
            "created_by": version.created_by,
            "published_at": version.published_at,
            "revision": version.revision,
        }
    )


def _terms(body: TermsIn) -> Terms:
    return plans.terms_of(
        price=body.price,
        period=body.period.model_dump(),
        delivery_retention_ms=body.delivery_retention_ms,
        approval=body.approval,
        text=body.terms,
    )
