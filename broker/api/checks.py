"""`/v1/products/…/check`: what came last of a product, valid and refused."""

from datetime import datetime

from fastapi import APIRouter

from broker.api.calls import CallDep, ObjectPath
from broker.api.fields import View
from broker.api.problems import declared
from broker.control import check
from broker.control.check import ProductCheck

router = APIRouter(prefix="/v1/products", tags=["products"])


class SeenRecordView(View):
    """One record. `reason` and `explanation` stand where it was refused."""

    partition: int
    offset: int
    at: datetime
    key: str | None
    value_bytes: int | None
    schema_id: int | None
    reason: str | None
    explanation: str | None


class ProductCheckView(View):
    """What came last; `note` says what else a seller should know."""

    product: str
    checked_at: datetime
    last_valid: SeenRecordView | None
    last_refused: SeenRecordView | None
    note: str


@router.get(
    "/{organisation}/{name}/check", response_model=ProductCheckView, responses=declared(404)
)
def check_product(object_id: ObjectPath, call: CallDep) -> ProductCheck:
    """The last valid and the last refused record of one of your products."""
    return check.check(call.session, call.services.log, object_id, by=call.actor, now=call.now)
