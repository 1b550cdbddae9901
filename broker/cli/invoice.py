"""`weir invoice`: what is owed, line by line, and what sellers are paid."""

import click

from broker.cli.calls import Call, calls_api
from broker.cli.groups import Group
from broker.cli.period import at_text
from broker.cli.terminal import visible_json
from broker.client import ConflictError
from broker.client.values_billing import Invoice, Line, Rating

_COLUMNS = ("number", "id", "subscription", "plan", "plan_version", "records", "total", "currency")


@click.group(cls=Group)
def invoice() -> None:
    """Invoices: drafts, then finalised, then never changed."""


@invoice.command("list")
@click.option("--product", metavar="ORG/PRODUCT", help="Of this product alone.")
@click.option("--subscription", metavar="ORG/NAME", help="Of this subscription alone.")
@click.option("--state", type=click.Choice(["draft", "finalised"]), help="In this state alone.")
@calls_api
def list_(call: Call, product: str | None, subscription: str | None, state: str | None) -> None:
    """List the invoices that you pay or are paid, oldest first."""
    found = call.client.invoices.list(product=product, subscription=subscription, state=state)
    call.table(found, _COLUMNS)


@invoice.command()
@click.argument("invoice_id", metavar="ID|NUMBER")
@click.option(
    "--rate-document",
    is_flag=True,
    help="Print what it was rated from instead, for `weir rate FILE.json`.",
)
@calls_api
def show(call: Call, invoice_id: str, *, rate_document: bool) -> None:
    """Show one invoice with its lines.

    Recount it: `weir invoice show ID --rate-document > doc.json && weir rate doc.json`.
    Exits 2 if there is none that you may see.
    """
    if rate_document:
        document = call.client.invoices.rating(invoice_id).document
        click.echo(visible_json(document, indent=2))
        return
    found = call.client.invoices.get(invoice_id)
    call.show(found, _words(found, _rating(call, found)))


@invoice.command()
@click.argument("invoice_id", metavar="ID")
@calls_api
def finalise(call: Call, invoice_id: str) -> None:
    """Issue a draft, as its seller.

    It gets its number and never changes again.
    """
    found = call.client.invoices.finalise(invoice_id)
    call.show(found, _words(found, _rating(call, found)))


@invoice.command()
@calls_api
def payouts(call: Call) -> None:
    """List what sellers are owed after the operator's fee.

    A seller sees its own, the operator every one.
    """
    call.table(call.client.invoices.payouts(), ("seller", "amount", "currency", "invoices"))


def _rating(call: Call, found: Invoice) -> Rating | ConflictError:
    """What it was rated from, or why that is not known any more: it is an invoice all the same."""
    try:
        return call.client.invoices.rating(found.id)
    except ConflictError as error:
        return error


def _words(found: Invoice, told: Rating | ConflictError) -> str:
    """The invoice as one reads it, amounts under each other."""
    rating = told if isinstance(told, Rating) else None
    rows = [(_described(line, rating), line.quantity, line.amount) for line in found.lines]
    rows.append((_total(found), found.currency, found.total))
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    return "\n".join(
        [
            f"Invoice {found.number or 'draft'} ({found.state}), id {found.id}",
            _issued(found),
            f"from {found.seller} to {found.buyer} for {found.subscription}",
            f"{found.product} under {found.plan} version {found.plan_version}",
            f"prices: weir plan show {found.plan} --version {found.plan_version}",
            *_period(found, rating),
            f"{found.records:,} records, {found.billed_bytes:,} bytes"
            + (" since that invoice" if rating and rating.before else ""),
            "",
            *(
                f"{what:<{widths[0]}}  {quantity:>{widths[1]}}  {amount:>{widths[2]}}"
                for what, quantity, amount in rows
            ),
            "",
            *_recounted(found, told),
        ]
    )


def _recounted(found: Invoice, told: Rating | ConflictError) -> list[str]:
    """How to rate it anew, or why that cannot be done."""
    if isinstance(told, ConflictError):
        return [f"no document for `weir rate`: {told}"]
    shown = f"weir invoice show {found.number or found.id} --rate-document"
    lines = [f"recount: {shown} > doc.json && weir rate doc.json"]
    if not told.active_days:
        lines.append("no day was active, so what is prorated costs 0; the document says so")
    return lines


def _issued(found: Invoice) -> str:
    if found.finalised_at is None:
        return f"not issued; drafted {found.created_at.isoformat(timespec='seconds')}"
    return f"issued {found.finalised_at.isoformat(timespec='seconds')}"


def _period(found: Invoice, rating: Rating | None) -> list[str]:
    """Which time is billed, and what of its period came before and is to come."""
    told = [f"period {at_text(found.period_first_ms)} to {at_text(found.period_end_ms)}"]
    if rating and rating.activated_at_ms > found.period_first_ms:
        told.append(f"subscription active from {at_text(rating.activated_at_ms)}")
    if not found.final:
        told.append(f"interim: billed up to {at_text(found.through_ms)}; the period goes on")
    elif found.through_ms < found.period_end_ms:
        told.append(f"final: billed up to {at_text(found.through_ms)}")
    if rating and rating.before:
        told.append(f"after invoice {rating.before} of the same period, which is taken off")
    return told


def _described(line: Line, rating: Rating | None) -> str:
    if line.description == "already billed" and rating and rating.before:
        return f"already billed ({rating.before})"
    return line.description


def _total(found: Invoice) -> str:
    """Whether tax is in it; without a line of tax the price has none."""
    taxed = any(line.description == "tax" for line in found.lines)
    return f"total with tax (net {found.net})" if taxed else "total, no tax"
