"""The operator's fee: its share of each invoice, taken from what the seller is paid.

Each journal entry keeps the rate it was made with, so a change holds for what is finalised later.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from broker.control.rows import check_revision
from broker.domain.actor import Actor
from broker.errors import ForbiddenError, InvalidFieldError
from broker.store.billing import BillingSettingsRow

BASIS_POINTS_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorFee:
    """Hundredths of a percent of the net sum (500 is 5 %), since when and by whom.

    `changed_at` and `changed_by` are None for the fee an exchange begins with.
    """

    basis_points: int
    changed_at: datetime | None
    changed_by: str | None
    revision: int


def operator_fee(session: Session) -> OperatorFee:
    """The fee of invoices that are finalised now."""
    return _value(session.get_one(BillingSettingsRow, 1))


def set_operator_fee(
    session: Session,
    basis_points: int,
    *,
    by: Actor,
    now: datetime,
    if_revision: int | None = None,
) -> OperatorFee:
    """Change the fee for invoices finalised from here on.

    Raises:
        ForbiddenError: `by` is not the operator.
        InvalidFieldError: not 0 to 10,000.
        PreconditionError: it changed since it was read.
    """
    if by.organisation is not None:
        raise ForbiddenError("operator fee: only the operator sets it; ask it to")
    if not 0 <= basis_points <= BASIS_POINTS_MAX:
        raise InvalidFieldError(
            "basis_points", f"must be 0 to {BASIS_POINTS_MAX}, is {basis_points}"
        )
    row = session.get_one(BillingSettingsRow, 1, with_for_update=True)
    check_revision("operator fee", "of this exchange", row.revision, if_revision)
    row.operator_fee_basis_points = basis_points
    row.changed_at, row.changed_by = now, by.name
    row.revision += 1
    session.flush()
    return _value(row)


def _value(row: BillingSettingsRow) -> OperatorFee:
    return OperatorFee(
        basis_points=row.operator_fee_basis_points,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
        revision=row.revision,
    )
