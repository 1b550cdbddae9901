"""The operator's fee."""

from broker.client.reading import value_of
from broker.client.transport import Transport
from broker.client.values_billing import OperatorFee

_PATH = "/v1/operator-fee"


class OperatorFees:
    """What the exchange keeps of each invoice. Every method raises `ApiError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> OperatorFee:
        """The fee of invoices that are finalised now."""
        return value_of(OperatorFee, self._transport.get(_PATH))

    def set(self, basis_points: int, *, if_match: int | None = None) -> OperatorFee:
        """Change it for invoices finalised from now on; the operator alone may."""
        body = {"basis_points": basis_points}
        return value_of(OperatorFee, self._transport.put(_PATH, body, if_match=if_match))
