"""Runner: bills every close as soon as it is proven. `weir serve` calls it in turn."""

from collections.abc import Callable, Iterator
from datetime import datetime

import structlog
from sqlalchemy.orm import Session, sessionmaker

from broker.billing.close import Close, proof, unsettled
from broker.billing.invoice import Invoice
from broker.billing.settle import settle
from broker.errors import WeirError

_log = structlog.get_logger()


def settle_proven(
    sessions: sessionmaker[Session], *, clock: Callable[[], datetime]
) -> list[Invoice]:
    """Settle each close whose proof is complete, each in a transaction of its own.

    A product that cannot be billed is logged and does not hold up the others; it is tried again
    the next time. Several processes may call this at once.

    Returns:
        The invoices made.
    """
    made: list[Invoice] = []
    for close in _waiting(sessions):
        try:
            with sessions.begin() as session:
                if proof(session, close.product, close.end_ms).complete:
                    made += settle(session, close.product, close.end_ms, now=clock())
        except WeirError as error:
            _log.error("close not billed", product=close.product, rule=str(error))
    return made


def _waiting(sessions: sessionmaker[Session]) -> Iterator[Close]:
    """Every close that was not billed yet, so that one never proven holds up no other."""
    after = None
    while True:
        with sessions() as session:
            page = unsettled(session, after=after)
        if not page:
            return
        yield from page
        after = (page[-1].end_ms, page[-1].product)
