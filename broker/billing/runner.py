"""Runner: bills every close as soon as it is proven. `weir serve` calls it in turn."""

from collections.abc import Callable, Iterator
from datetime import datetime

import structlog
from sqlalchemy.orm import Session, sessionmaker

from broker.billing.close import Close, proof, unsettled
from broker.billing.ending import Drained, never_drained
from broker.billing.invoice import Invoice
from broker.billing.settle import settle
from broker.errors import WeirError

_log = structlog.get_logger()


def settle_proven(
    sessions: sessionmaker[Session],
    *,
    clock: Callable[[], datetime],
    drained: Drained = never_drained,
) -> list[Invoice]:
    """Settle each close whose proof is complete, each in a transaction of its own.

    A product that cannot be billed is logged and does not hold up the others; it is tried again
    the next time. Several processes may call this at once.

    Args:
        sessions: makes database sessions.
        clock: the present.
        drained: asked for products whose topic has ended; see `ending.py`.

    Returns:
        The invoices made.
    """
    made: list[Invoice] = []
    for close in _waiting(sessions):
        try:
            with sessions.begin() as session:
                now = clock()
                asked = (session, close.product, close.end_ms)
                if proof(*asked, now=now, drained=drained).complete:
                    made += settle(*asked, now=now, drained=drained)
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
