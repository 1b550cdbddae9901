"""`/v1/invoices`: what you owe and are owed; `/v1/payouts`: what the exchange owes you."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from broker.api.calls import CallDep
from broker.api.fields import ObjectId, View
from broker.api.pages import Page, WantedDep
from broker.api.problems import declared
from broker.billing import invoice as invoices
from broker.billing.invoice import Invoice, State
from broker.billing.payout import Payout, payouts
from broker.billing.recount import recount
from broker.errors import InvalidFieldError

router = APIRouter(prefix="/v1", tags=["invoices"])

InvoicePath = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$",
        max_length=80,
        description="The invoice's id or its number.",
    ),
]


class LineView(View):
    """One line. `quantity` and `amount` are decimals; the amounts add up to the total."""

    description: str
    quantity: str
    amount: str


class InvoiceView(View):
    """What a buyer owes a seller for one period up to `through_ms`; below zero it is a credit.

    Amounts are decimals in the currency's major unit. `records` and `billed_bytes` are those that
    this invoice is the first to bill. Times are billing time, ms since 1970 UTC.
    """

    id: str
    number: str | None
    state: State
    seller: str
    buyer: str
    product: str
    subscription: str
    plan: str
    plan_version: int
    period_first_ms: int
    period_end_ms: int
    through_ms: int
    final: bool
    records: int
    billed_bytes: int
    currency: str
    lines: list[LineView]
    net: str
    tax: str
    total: str
    created_at: datetime
    finalised_at: datetime | None


class RatingView(View):
    """What an invoice was rated from: save `document`, and `weir rate` gives the same lines.

    `days[i]` is the day of `document.usage[i]`, in the plan's time zone. `before`: the invoice that
    `already billed` refers to.
    """

    invoice: str
    number: str | None
    activated_at_ms: int
    days: list[date]
    active_days: int
    before: str | None
    document: dict[str, Any] = Field(
        description="Name, price, usage and context, as `weir rate` takes them. Where no day was "
        "active (`active_days` 0), nothing that is prorated is owed: the price then has the "
        'amount "0" for flat fees and a minimum commitment that are prorated, and the context no '
        "period. Otherwise the price is the plan version's own."
    )


class PayoutView(View):
    """What a seller is owed in one currency, after the operator's fee, from so many invoices."""

    seller: str
    currency: str
    amount: str
    invoices: int


@router.get("/invoices", response_model=Page[InvoiceView], responses=declared())
def list_invoices(
    call: CallDep,
    wanted: WantedDep,
    product: Annotated[ObjectId | None, Query(description="Of this product alone.")] = None,
    subscription: Annotated[
        ObjectId | None, Query(description="Of this subscription alone.")
    ] = None,
    state: Annotated[State | None, Query(description="In this state alone.")] = None,
) -> dict[str, Any]:
    """Invoices that you pay or are paid, oldest first; for the operator, all."""
    found = invoices.list_invoices(
        call.session,
        visible_to=call.actor,
        product=product,
        subscription=subscription,
        state=state,
        after=_after_invoice(wanted.after),
        limit=wanted.fetch,
    )
    page = wanted.page(found, key=lambda one: f"{one.created_at.isoformat()} {one.id}")
    return page | {"items": [_view(one) for one in page["items"]]}


@router.get("/invoices/{invoice}", responses=declared(404))
def read_invoice(invoice: InvoicePath, call: CallDep) -> InvoiceView:
    """One invoice, by its id or its number."""
    return _view(invoices.get(call.session, invoice, visible_to=call.actor))


@router.get("/invoices/{invoice}/rating", responses=declared(404, 409))
def read_rating(invoice: InvoicePath, call: CallDep) -> RatingView:
    """What an invoice was rated from: price, usage by day, context; to recount it yourself."""
    return RatingView.model_validate(recount(call.session, invoice, visible_to=call.actor))


@router.post("/invoices/{invoice}/finalise", responses=declared(404, 409))
def finalise_invoice(invoice: InvoicePath, call: CallDep) -> InvoiceView:
    """Issue a draft, as the seller: it gets its number and never changes again."""
    return _view(invoices.finalise(call.session, invoice, by=call.actor, now=call.now))


@router.get("/payouts", response_model=Page[PayoutView], responses=declared())
def list_payouts(call: CallDep, wanted: WantedDep) -> dict[str, Any]:
    """What the exchange owes you as a seller, by currency; for the operator, every seller."""
    seller, _, currency = wanted.after.partition(" ")
    after = (seller, currency) if wanted.after else None
    found = payouts(call.session, call.actor.organisation, after=after, limit=wanted.fetch)
    page = wanted.page(found, key=lambda one: f"{one.seller} {one.currency}")
    return page | {"items": [_payout(one) for one in page["items"]]}


def _after_invoice(after: str) -> tuple[datetime, str] | None:
    if not after:
        return None
    created, _, invoice_id = after.partition(" ")
    try:
        at = datetime.fromisoformat(created)
    except ValueError as error:
        raise InvalidFieldError("cursor", "is not one of this list; begin without it") from error
    if at.tzinfo is None:
        raise InvalidFieldError("cursor", "is not one of this list; begin without it")
    return at, invoice_id


def _view(invoice: Invoice) -> InvoiceView:
    return InvoiceView(
        **{
            name: getattr(invoice, name)
            for name in InvoiceView.model_fields
            if name not in {"lines", "net", "tax", "total"}
        },
        lines=[
            LineView(
                description=line.description,
                quantity=f"{line.quantity:f}",
                amount=f"{line.amount:f}",
            )
            for line in invoice.lines
        ],
        net=f"{invoice.major(invoice.net_minor):f}",
        tax=f"{invoice.major(invoice.tax_minor):f}",
        total=f"{invoice.major(invoice.total_minor):f}",
    )


def _payout(payout: Payout) -> PayoutView:
    amount = Decimal(f"{payout.amount_minor}e-{payout.minor_digits}")
    return PayoutView(
        seller=payout.seller,
        currency=payout.currency,
        amount=f"{amount:f}",
        invoices=payout.invoices,
    )
