"""The client: every noun of `/v1` behind one connection."""

import time
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import httpx

from broker.client.invoices import Invoices
from broker.client.operator_fee import OperatorFees
from broker.client.organisations import Accounts, Organisations, Tokens
from broker.client.plans import Plans
from broker.client.products import Catalogue, Products
from broker.client.reading import value_of
from broker.client.subscriptions import Subscriptions
from broker.client.transport import Transport
from broker.client.values import Me


class Client:
    """Speaks to one API as one token's holder; a context manager, or `close`.

        with Client(url, token) as weir:
            weir.products.publish("acme/wind")

    Args:
        url: where the API is, without `/v1`.
        token: of an organisation, or the operator's.
        timeout_s: for each attempt of a request.
        http: another httpx transport, for tests.
        pause: waits so many seconds between attempts.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float = 30.0,
        http: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.transport = Transport(url, token, timeout_s=timeout_s, http=http, pause=pause)
        self.organisations = Organisations(self.transport)
        self.tokens = Tokens(self.transport)
        self.accounts = Accounts(self.transport)
        self.products = Products(self.transport)
        self.catalogue = Catalogue(self.transport)
        self.plans = Plans(self.transport)
        self.subscriptions = Subscriptions(self.transport)
        self.invoices = Invoices(self.transport)
        self.operator_fee = OperatorFees(self.transport)

    def me(self) -> Me:
        """Whose token this is.

        Raises:
            ApiError: anything but success.
        """
        return value_of(Me, self.transport.get("/v1/me"))

    def clock(self) -> datetime | None:
        """The API's own clock, to the second; None where it does not tell or answer."""
        said = self.transport.date()
        return None if said is None else parsedate_to_datetime(said)

    def close(self) -> None:
        """Let go of the connections."""
        self.transport.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()
