"""`weir invoice`: what is owed, line by line, and what sellers are paid."""

import click
from rich.box import HEAVY_HEAD
from rich.console import Console
from rich.table import Table

from broker.cli.api import api_client, home_option, json_option, to_json
from broker.cli.period import at_text
from broker.client.values import Invoice

_PLAIN_WIDTH = 160


@click.group()
def invoice() -> None:
    """Invoices: drafts, then finalised, then never changed."""


@invoice.command("list")
@click.option("--product", metavar="ORG/PRODUCT", help="Of this product alone.")
@click.option("--subscription", metavar="ORG/NAME", help="Of this subscription alone.")
@click.option("--state", type=click.Choice(["draft", "finalised"]), help="In this state alone.")
@home_option
@json_option
def list_(
    product: str | None,
    subscription: str | None,
    state: str | None,
    home: str | None,
    *,
    as_json: bool,
) -> None:
    """List the invoices that you pay or are paid, oldest first."""
    with api_client(home) as client:
        found = list(client.invoices.list(product=product, subscription=subscription, state=state))
    if as_json:
        click.echo(to_json(found))
        return
    table = Table("number", "subscription", "plan", "through", "records", "total", box=HEAVY_HEAD)
    for one in found:
        table.add_row(
            one.number or f"draft {one.id}",
            one.subscription,
            f"{one.plan} v{one.plan_version}",
            at_text(one.through_ms),
            f"{one.records:,}",
            f"{one.total} {one.currency}",
        )
    _print(table)


@invoice.command()
@click.argument("invoice_id", metavar="ID|NUMBER")
@home_option
@json_option
def show(invoice_id: str, home: str | None, *, as_json: bool) -> None:
    """Show one invoice with its lines. Exits 2 if there is none that you may see."""
    with api_client(home) as client:
        found = client.invoices.get(invoice_id)
    _show(found, as_json=as_json)


@invoice.command()
@click.argument("invoice_id", metavar="ID")
@home_option
@json_option
def finalise(invoice_id: str, home: str | None, *, as_json: bool) -> None:
    """Issue a draft, as its seller: it gets its number and never changes again."""
    with api_client(home) as client:
        found = client.invoices.finalise(invoice_id)
    _show(found, as_json=as_json)


@invoice.command()
@home_option
@json_option
def payouts(home: str | None, *, as_json: bool) -> None:
    """List what you are owed as a seller, after the operator's fee; the operator sees every one."""
    with api_client(home) as client:
        found = list(client.invoices.payouts())
    if as_json:
        click.echo(to_json(found))
        return
    table = Table("seller", "amount", "invoices", box=HEAVY_HEAD)
    for one in found:
        table.add_row(one.seller, f"{one.amount} {one.currency}", f"{one.invoices:,}")
    _print(table)


def _show(found: Invoice, *, as_json: bool) -> None:
    if as_json:
        click.echo(to_json(found))
        return
    until = "" if found.final else ", so far"
    click.echo(f"Invoice {found.number or 'draft'} ({found.state}), id {found.id}")
    click.echo(f"from {found.seller} to {found.buyer} for {found.subscription}")
    click.echo(f"{found.product} under {found.plan} version {found.plan_version}")
    click.echo(f"{at_text(found.period_first_ms)} to {at_text(found.through_ms)}{until}")
    click.echo(f"{found.records:,} records, {found.billed_bytes:,} bytes")
    table = Table("", "quantity", found.currency, box=HEAVY_HEAD)
    table.columns[1].justify = table.columns[2].justify = "right"
    for line in found.lines:
        table.add_row(line.description, line.quantity, line.amount)
    table.add_section()
    table.add_row("total", "", found.total)
    _print(table)


def _print(table: Table) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    console.print(table)
