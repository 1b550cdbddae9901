"""What may be subscribed to: plan versions on sale, and which may take another's place."""

from sqlalchemy.orm import Session

from broker.control import plans
from broker.domain.plan import PlanVersion
from broker.domain.product import Product
from broker.errors import ConflictError, NotFoundError
from broker.store.control import PlanRow


def offered(
    session: Session, product: Product, plan_id: str, plan_version: int | None
) -> PlanVersion:
    """A version of a plan of this product that is on sale; by default the newest.

    Raises:
        NotFoundError: there is none.
    """
    plan = session.get(PlanRow, plan_id)
    if plan is None or plan.product != product.id:
        raise NotFoundError("plan", plan_id)
    if plan_version is None:
        version = plans.latest_offered(session, plan_id)
    else:
        version = plans.get_pinned(session, plan_id, plan_version)
    if version is None or version.state != "published":
        raise NotFoundError("plan", plan_id)
    return version


def check_exchangeable(subscription_id: str, present: PlanVersion, wanted: PlanVersion) -> None:
    """Do nothing, if a subscription may move from one version to the other.

    Raises:
        ConflictError: their billing periods or currencies differ.
    """
    if present.terms.period != wanted.terms.period:
        raise ConflictError(
            f"subscription {subscription_id}: {wanted.name} has other billing periods than "
            f"{present.name}; revoke this subscription and request a new one"
        )
    if present.terms.price["currency"] != wanted.terms.price["currency"]:
        raise ConflictError(
            f"subscription {subscription_id}: {wanted.name} is in another currency than "
            f"{present.name}; revoke this subscription and request a new one"
        )
