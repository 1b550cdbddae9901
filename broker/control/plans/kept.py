"""How plans are kept: rows, whose they are, and versions read off and written to them."""

from sqlalchemy.orm import Session

from broker.control.rows import check_revision
from broker.domain.actor import Actor
from broker.domain.period import parse_period
from broker.domain.plan import PlanVersion, Terms
from broker.errors import NotFoundError
from broker.store.control import PlanRow, PlanVersionRow

SALEABLE = frozenset({"draft", "publishing", "published"})


def plan_row(session: Session, plan_id: str, *, by: Actor, lock: bool = False) -> PlanRow:
    """The row of a plan of `by`'s own.

    Raises:
        NotFoundError: no such plan, or not `by`'s own.
    """
    row = session.get(PlanRow, plan_id, with_for_update=lock)
    if row is None or not by.owns(row.organisation):
        raise NotFoundError("plan", plan_id)
    return row


def version_row(
    session: Session,
    plan_id: str,
    number: int,
    *,
    by: Actor,
    if_revision: int | None = None,
) -> PlanVersionRow:
    """The row of a version of `by`'s own, locked for a change.

    Raises:
        NotFoundError: no such version, or not `by`'s own.
        PreconditionError: it changed since it was read.
    """
    plan_row(session, plan_id, by=by)
    row = session.get(PlanVersionRow, (plan_id, number), with_for_update=True)
    if row is None:
        raise NotFoundError("plan", f"{plan_id} version {number}")
    check_revision("plan", f"{plan_id} version {number}", row.revision, if_revision)
    return row


def version_of(row: PlanVersionRow) -> PlanVersion:
    """The version that a row holds."""
    return PlanVersion(
        plan=row.plan,
        number=row.number,
        state=row.state,  # type: ignore[arg-type]  # only this package writes it
        terms=Terms(
            price=row.price,
            period=parse_period(row.period),
            delivery_retention_ms=row.delivery_retention_ms,
            approval=row.approval,  # type: ignore[arg-type]
            text=row.terms,
        ),
        created_at=row.created_at,
        created_by=row.created_by,
        published_at=row.published_at,
        revision=row.revision,
    )


def write(row: PlanVersionRow, version: PlanVersion) -> PlanVersion:
    """The version, written into its row."""
    row.state = version.state
    row.price = dict(version.terms.price)
    row.period = version.terms.period.to_json()
    row.delivery_retention_ms = version.terms.delivery_retention_ms
    row.approval = version.terms.approval
    row.terms = version.terms.text
    row.created_at = version.created_at
    row.created_by = version.created_by
    row.published_at = version.published_at
    row.revision = version.revision
    return version
