"""Bills are tampered with, on what can be told without billing itself."""

from sqlalchemy import insert

from broker.store.billing import InvoiceRow

from .conftest import Exchange
from .tampering import differences


def test_invoice_of_an_unknown_subscription(routed: Exchange) -> None:
    """A bill for a subscription that the control log never activated."""
    names = [column.name for column in InvoiceRow.__table__.columns]
    row = {
        **dict.fromkeys(names, 0),
        **dict.fromkeys(("id", "state", "seller", "buyer", "product", "plan", "currency"), "x"),
        "subscription": "who/ever",
        "created_at": routed.clock.now(),
        **dict.fromkeys(("year", "sequence", "number", "finalised_at")),
        "state": "draft",
    }
    with routed.database.begin() as connection:
        connection.execute(insert(InvoiceRow), [row])
    (one,) = differences(routed)
    assert (one.store, one.subscription) == ("billing", "who/ever")
    assert one.what == "is billed, but the control log never activated it"
