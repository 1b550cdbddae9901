"""`/v1/operator-fee`: the exchange's share of each invoice, known to everybody."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from broker.api.calls import CallDep
from broker.api.etags import RevisionDep, TagDep
from broker.api.fields import WHOLE, Body, View
from broker.api.problems import declared
from broker.billing import fee
from broker.billing.fee import BASIS_POINTS_MAX, OperatorFee

router = APIRouter(prefix="/v1/operator-fee", tags=["invoices"])


class OperatorFeeChange(Body):
    """The fee of invoices that are finalised from now on."""

    basis_points: Annotated[
        int, Field(ge=0, le=BASIS_POINTS_MAX, description="Of the net sum; 500 is 5 %."), WHOLE
    ]


class OperatorFeeView(View):
    """The fee; `changed_at` and `changed_by` are null for the one an exchange begins with."""

    basis_points: int
    changed_at: datetime | None
    changed_by: str | None
    revision: int


@router.get("", response_model=OperatorFeeView, responses=declared())
def read_operator_fee(call: CallDep, tags: TagDep) -> OperatorFee:
    """What the exchange keeps of an invoice's net sum."""
    return tags.show(fee.operator_fee(call.session))


@router.put("", response_model=OperatorFeeView, responses=declared(403, 412))
def set_operator_fee(body: OperatorFeeChange, call: CallDep, tags: RevisionDep) -> OperatorFee:
    """Set it for invoices finalised from now on. Operator only."""
    changed = fee.set_operator_fee(
        call.session, body.basis_points, by=call.actor, now=call.now, if_revision=tags.expected
    )
    return tags.show(changed)
