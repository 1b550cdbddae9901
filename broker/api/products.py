"""`/v1/products`: what you sell."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints

from broker.api.calls import CallDep, ObjectPath
from broker.api.etags import RevisionDep, TagDep
from broker.api.fields import WHOLE, Body, Line, ObjectId, Text, View
from broker.api.idempotency import Created, OnceDep
from broker.api.pages import Page, WantedDep
from broker.api.problems import declared
from broker.control import products, retirement
from broker.domain import product as rules
from broker.domain.events import Validation
from broker.domain.product import Classification, Product, State

router = APIRouter(prefix="/v1/products", tags=["products"])

FieldPath = Annotated[
    str,
    StringConstraints(
        max_length=200, pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"
    ),
]
Partitions = Annotated[int, Field(ge=1, le=rules.PARTITIONS_MAX), WHOLE]
RetentionMs = Annotated[
    int,
    Field(
        ge=rules.RETENTION_MIN_MS,
        le=rules.RETENTION_MAX_MS,
        description="How long its topic keeps records: at least the longest period of its plans "
        "and the dispute window.",
    ),
    WHOLE,
]


class NewProduct(Body):
    """A product to draft."""

    id: ObjectId
    title: Line
    description: Text = ""
    classification: Classification = "internal"
    partitions: Partitions = 1
    retention_ms: RetentionMs = rules.RETENTION_DEFAULT_MS
    quarantine_max_bytes: Annotated[int, WHOLE] = Field(
        default=rules.QUARANTINE_DEFAULT_MAX_BYTES,
        ge=rules.QUARANTINE_MIN_BYTES,
        le=rules.QUARANTINE_MAX_BYTES,
        description="How much of what was refused is kept, a partition.",
    )
    record_max_bytes: Annotated[int, WHOLE] = Field(
        default=rules.RECORD_DEFAULT_MAX_BYTES,
        ge=rules.RECORD_MIN_BYTES,
        le=rules.RECORD_MAX_BYTES,
        description="Key, value and headers, uncompressed; larger records are quarantined.",
    )
    validation: Validation = Field(
        default="header",
        description="header: the schema id is checked; full: the body is decoded too.",
    )
    event_time_field: FieldPath | None = Field(
        default=None, description="Where event time stands in the value, e.g. `header.at`."
    )


class ProductChange(Body):
    """What may change; null leaves it as it is."""

    title: Line | None = None
    description: Text | None = None
    classification: Classification | None = None
    partitions: Partitions | None = Field(default=None, description="Can only be raised.")
    retention_ms: RetentionMs | None = None


class ProductView(View):
    """One of your products."""

    id: str
    organisation: str
    title: str
    description: str
    classification: Classification
    topic: str
    quarantine_topic: str
    subject: str
    partitions: int
    published_partitions: int | None
    retention_ms: int
    quarantine_max_bytes: int
    record_max_bytes: int
    validation: Validation
    event_time_field: str | None
    state: State
    topic_id: str | None
    created_at: datetime
    created_by: str
    published_at: datetime | None
    retired_at: datetime | None
    ended_at: datetime | None
    revision: int


@router.post("", status_code=201, response_model=ProductView, responses=declared(404, 409))
def create_product(body: NewProduct, call: CallDep, once: OnceDep) -> Response:
    """Draft a product; nothing of it exists in Kafka before it is published."""

    def make() -> Created:
        settings = products.Settings(**body.model_dump(exclude={"id"}))
        made = products.create(call.session, body.id, settings, by=call.actor, now=call.now)
        view = ProductView.model_validate(made)
        return Created(view, f"/v1/products/{made.id}", made.revision)

    return once(body, make)


@router.get("", response_model=Page[ProductView], responses=declared())
def list_products(call: CallDep, wanted: WantedDep) -> dict[str, Any]:
    """Your products; for the operator, all."""
    found = products.search(call.session, by=call.actor, after=wanted.after, limit=wanted.fetch)
    return wanted.page(found, key=lambda one: one.id)


@router.get("/{organisation}/{name}", response_model=ProductView, responses=declared(404))
def read_product(
    object_id: ObjectPath,
    call: CallDep,
    tags: TagDep,
) -> Product:
    """One of your products. Others' are in the catalogue."""
    return tags.show(products.get(call.session, object_id, by=call.actor))


@router.patch(
    "/{organisation}/{name}", response_model=ProductView, responses=declared(404, 409, 412)
)
def change_product(
    object_id: ObjectPath,
    body: ProductChange,
    call: CallDep,
    tags: RevisionDep,
) -> Product:
    """Change words, retention or the number of partitions."""
    changed = products.change(
        call.session,
        object_id,
        products.Changes(**body.model_dump()),
        dispute_window_ms=call.settings.dispute_window_ms,
        by=call.actor,
        if_revision=tags.expected,
    )
    return tags.show(changed)


@router.post(
    "/{organisation}/{name}/publish",
    response_model=ProductView,
    responses=declared(404, 409, 412),
)
def publish_product(
    object_id: ObjectPath,
    call: CallDep,
    tags: RevisionDep,
) -> Product:
    """Offer it. It is `publishing` until its topics are confirmed, then `published`."""
    published = products.publish(call.session, object_id, by=call.actor, if_revision=tags.expected)
    return tags.show(published)


@router.post(
    "/{organisation}/{name}/retire",
    response_model=ProductView,
    responses=declared(404, 409, 412),
)
def retire_product(
    object_id: ObjectPath,
    call: CallDep,
    tags: RevisionDep,
) -> Product:
    """Take no more records and no more subscriptions. Refused while subscriptions run."""
    retired = retirement.retire(
        call.session,
        object_id,
        by=call.actor,
        now=call.now,
        if_revision=tags.expected,
    )
    return tags.show(retired)
