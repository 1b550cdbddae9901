"""Invoices and payouts."""

from collections.abc import Iterator

from broker.client.paths import word
from broker.client.reading import value_of
from broker.client.transport import Transport
from broker.client.values_billing import Invoice, Payout, Rating

_PATH = "/v1/invoices"


class Invoices:
    """What you pay and are paid. Every method raises `ApiError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        product: str | None = None,
        subscription: str | None = None,
        state: str | None = None,
    ) -> Iterator[Invoice]:
        """Oldest first."""
        found = self._transport.pages(
            _PATH, product=product, subscription=subscription, state=state
        )
        return (value_of(Invoice, one) for one in found)

    def get(self, invoice: str) -> Invoice:
        """One, by its id or its number."""
        return value_of(Invoice, self._transport.get(f"{_PATH}/{word('invoice', invoice)}"))

    def rating(self, invoice: str) -> Rating:
        """What it was rated from, to recount it."""
        return value_of(Rating, self._transport.get(f"{_PATH}/{word('invoice', invoice)}/rating"))

    def finalise(self, invoice: str) -> Invoice:
        """Issue a draft, as the seller: it gets its number and never changes again."""
        return value_of(
            Invoice, self._transport.post(f"{_PATH}/{word('invoice', invoice)}/finalise")
        )

    def payouts(self) -> Iterator[Payout]:
        """What the exchange owes you as a seller; for the operator, every seller."""
        return (value_of(Payout, one) for one in self._transport.pages("/v1/payouts"))
