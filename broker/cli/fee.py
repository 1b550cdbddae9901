"""`weir fee`: what the exchange keeps of each invoice."""

import click

from broker.cli.calls import Call, calls_api
from broker.cli.groups import Group
from broker.client.values_billing import OperatorFee


@click.group(cls=Group)
def fee() -> None:
    """The operator's fee: what the exchange keeps of each invoice."""


@fee.command()
@calls_api
def show(call: Call) -> None:
    """Show the fee of invoices that are finalised now."""
    found = call.client.operator_fee.get()
    call.show(found, _words(found))


@fee.command("set")
@click.option(
    "--basis-points",
    type=click.IntRange(0, 10_000),
    required=True,
    help="Of the net sum; 500 is 5 %.",
)
@calls_api
def set_(call: Call, basis_points: int) -> None:
    """Set the fee of invoices finalised from now on; the operator alone may.

    Exits 0 when it is set; what was finalised before keeps its fee.
    """
    changed = call.client.operator_fee.set(basis_points)
    call.show(changed, _words(changed))


def _words(found: OperatorFee) -> str:
    percent = f"{found.basis_points // 100}.{found.basis_points % 100:02}"
    since = (
        "from the beginning"
        if found.changed_at is None
        else f"since {found.changed_at.isoformat(timespec='seconds')}, set by {found.changed_by}"
    )
    return f"operator's fee: {percent} % of the net sum, {since}"
