"""Retirement: a product is no longer sold, and nobody is left who pays for it.

                          retired by its seller          its topic is gone
running subscriptions     refused, by name: each is a    expired with it: nobody pays for what
                          contract, revoked by whoever   can bring nothing any more
                          means to
requests                  rejected: nobody could approve them any more
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broker.control import products, subscriptions
from broker.domain.actor import SYSTEM, Actor
from broker.domain.product import Product
from broker.domain.subscription import ENDED
from broker.errors import ConflictError
from broker.store.control import SubscriptionRow

_NAMED_MAX = 10


def retire(
    session: Session, product_id: str, *, by: Actor, now: datetime, if_revision: int | None
) -> Product:
    """Take no more records and no more subscriptions, once no subscription runs.

    Where it raises, the caller's transaction is to be rolled back.

    Raises:
        NotFoundError: no such product, or not `by`'s own.
        ConflictError: it is retired already, or subscriptions run; the first ten are named.
        PreconditionError: it changed since it was read.
    """
    # Its row is locked from here on: who asks for it or is approved waits, and is then refused.
    retired = products.retire(session, product_id, by=by, now=now, if_revision=if_revision)
    left = _left(session, product_id)
    running = [one for one, state in left if state != "requested"]
    if running:
        raise ConflictError(_refusal(product_id, running))
    for one, _ in left:
        _reject(session, one, why=f"{product_id} is retired", now=now)
    return retired


def end(session: Session, product_id: str, *, now: datetime) -> Product:
    """Its topic was removed or made anew from outside: its subscriptions expire with it.

    Raises:
        ConflictError: it never had a topic, or this was said before.
    """
    ended = products.end_topic(session, product_id, now=now)
    why = f"the topic of {product_id} is gone"
    for one, state in _left(session, product_id):
        if state == "requested":
            _reject(session, one, why=why, now=now)
        else:
            subscriptions.expire(session, one, by=SYSTEM, reason=why, now=now, if_revision=None)
    return ended


def _left(session: Session, product_id: str) -> list[tuple[str, str]]:
    rows = session.execute(
        select(SubscriptionRow.id, SubscriptionRow.state)
        .where(SubscriptionRow.product == product_id, SubscriptionRow.state.not_in(ENDED))
        .order_by(SubscriptionRow.id)
    )
    return [(one, state) for one, state in rows]


def _reject(session: Session, subscription: str, *, why: str, now: datetime) -> None:
    subscriptions.reject(session, subscription, by=SYSTEM, reason=why, now=now, if_revision=None)


def _refusal(product_id: str, running: list[str]) -> str:
    names = ", ".join(running[:_NAMED_MAX])
    if len(running) > _NAMED_MAX:
        names = f"{names} and {len(running) - _NAMED_MAX} more"
    return (
        f"product {product_id}: subscriptions run: {names}; revoke each with a reason "
        "(`weir subscription revoke ID --reason …`), then retire it"
    )
