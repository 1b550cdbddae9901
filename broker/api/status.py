"""`/v1/me` and `/v1/status`: who you are; for the operator, how far everything has come."""

from typing import Literal

from fastapi import APIRouter

from broker.api.calls import CallDep
from broker.api.fields import View
from broker.api.problems import declared
from broker.api.security import CallerDep, OperatorDep
from broker.control import status
from broker.control.status import Status

router = APIRouter(prefix="/v1", tags=["status"])


class MeView(View):
    """Whose token this is; `organisation` is null for the operator."""

    name: str
    role: Literal["operator", "organisation"]
    organisation: str | None


class CoverageView(View):
    """How far the ledger's unbroken chain reaches in one partition."""

    product: str
    topic_id: str
    partition: int
    flow: str
    number: int
    next_offset: int
    seq: int
    watermark_ms: int
    hole: str | None


class StatusView(View):
    """`seq`: the last control event; `published_seq`: the last that routers can read."""

    seq: int
    published_seq: int
    outbox_age_s: float
    coverage: list[CoverageView]


@router.get("/me", responses=declared())
def read_me(caller: CallerDep) -> MeView:
    """Whose token this is."""
    organisation = caller.actor.organisation
    return MeView(
        name=caller.actor.name,
        role="operator" if organisation is None else "organisation",
        organisation=organisation,
    )


@router.get("/status", response_model=StatusView, responses=declared(403))
def read_status(_: OperatorDep, call: CallDep) -> Status:
    """Control log, outbox and coverage. Operator only."""
    return status.status(call.session, now=call.now)
