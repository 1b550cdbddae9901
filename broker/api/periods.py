"""`/v1/products/…/closes`: closing a product's billing time, and how far that is proven."""

from contextlib import closing
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field

from broker.api.calls import CallDep, ObjectPath
from broker.api.fields import WHOLE, Body, View
from broker.api.idempotency import Created, OnceDep
from broker.api.pages import BIGINT_MAX, Page, WantedDep
from broker.api.problems import declared
from broker.billing import close
from broker.billing.close import Proof
from broker.billing.ending import ledger_drained
from broker.control import outbox, products

router = APIRouter(prefix="/v1/products", tags=["periods"])

_TIME_MAX_MS = 253_402_300_799_999  # the end of the year 9999
EndMs = Annotated[
    int, Path(ge=1, le=_TIME_MAX_MS, description="End of the close, ms since 1970 UTC.")
]


class NewClose(Body):
    """How far to close."""

    end_ms: Annotated[int, Field(ge=1, le=_TIME_MAX_MS), WHOLE] | None = Field(
        default=None,
        description="Billing time is to be proven up to here, ms since 1970 UTC, not in the "
        "future; null: now. In the middle of a period what there is so far is billed.",
    )
    finalise: bool = Field(
        default=True, description="Issue the invoices at once; false leaves them as drafts."
    )
    interim: bool = Field(
        default=True,
        description="Bill what there is so far of periods that go on; false bills only those "
        "that have ended, as the exchange does by itself.",
    )


class CloseView(View):
    """A close; `seq` is that of its control event, `settled_at` when its invoices were made."""

    product: str
    end_ms: int
    seq: int
    finalise: bool
    interim: bool
    requested_at: datetime
    settled_at: datetime | None


class MissingView(View):
    """A partition that has not proven the end yet, and why."""

    partition: int
    why: str


class ProofView(View):
    """A close and what it still waits for."""

    close: CloseView
    complete: bool
    missing: list[MissingView]


@router.post(
    "/{organisation}/{name}/closes",
    status_code=201,
    response_model=CloseView,
    responses=declared(404, 409),
)
def close_period(object_id: ObjectPath, body: NewClose, call: CallDep, once: OnceDep) -> Response:
    """Ask every partition to prove the end. Its invoices are made when they have."""

    def make() -> Created:
        product = products.get(call.session, object_id, by=call.actor)
        made = close.request_close(
            call.session,
            product.id,
            outbox.to_ms(call.now) if body.end_ms is None else body.end_ms,
            by=call.actor.name,
            finalise=body.finalise,
            interim=body.interim,
            now=call.now,
        )
        location = f"/v1/products/{product.id}/closes/{made.end_ms}"
        return Created(CloseView.model_validate(made), location)

    return once(body, make)


@router.get(
    "/{organisation}/{name}/closes", response_model=Page[CloseView], responses=declared(404)
)
def list_closes(object_id: ObjectPath, call: CallDep, wanted: WantedDep) -> dict[str, Any]:
    """The closes of one of your products, latest end first."""
    product = products.get(call.session, object_id, by=call.actor)
    before_ms = wanted.after_number(BIGINT_MAX) or None
    found = close.closes(call.session, product.id, before_ms=before_ms, limit=wanted.fetch)
    return wanted.page(found, key=lambda one: one.end_ms)


@router.get(
    "/{organisation}/{name}/closes/{end_ms}", response_model=ProofView, responses=declared(404)
)
def read_close(object_id: ObjectPath, end_ms: EndMs, call: CallDep) -> Proof:
    """One close: which partitions have not proven it, and whether it was billed."""
    product = products.get(call.session, object_id, by=call.actor)

    def drained() -> bool:
        with closing(call.services.log.reader(committed=True)) as usage:
            return ledger_drained(usage, call.session)

    return close.proof(
        call.session,
        product.id,
        end_ms,
        now=call.now,
        drained=drained,
    )
