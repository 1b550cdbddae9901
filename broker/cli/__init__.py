"""The `weir` command: the root group and how an error shows itself.

Each verb is a short function in the module of its noun (`broker/cli/<noun>.py`): its docstring is
its help, its body calls one function and prints the value it returns. Modules load when their verb
is called, so that `weir rate` does not load Faust.
"""

import importlib
import sys
from typing import Any

import click

from broker import __version__
from broker.cli.groups import Group
from broker.errors import WeirError

# verb -> "module:attribute". The order here is the order of `weir --help`.
VERBS = {
    "up": "broker.cli.local:up",
    "down": "broker.cli.local:down",
    "status": "broker.cli.local:status",
    "demo": "broker.cli.demo:demo",
    "client": "broker.cli.client:client",
    "organisation": "broker.cli.organisation:organisation",
    "product": "broker.cli.product:product",
    "plan": "broker.cli.plan:plan",
    "subscription": "broker.cli.subscription:subscription",
    "invoice": "broker.cli.invoice:invoice",
    "fee": "broker.cli.fee:fee",
    "period": "broker.cli.period:period",
    "rate": "broker.cli.rate:rate",
    "verify": "broker.cli.verify:verify",
    "reconcile": "broker.cli.reconcile:reconcile",
    "serve": "broker.cli.serve:serve",
    "router": "broker.cli.router:router",
    "ledger": "broker.cli.ledger:ledger",
    "bench": "broker.cli.bench:bench",
    "faults": "broker.cli.faults:faults",
    "transactions": "broker.cli.transactions:transactions",
}


class LazyGroup(Group):
    """A group whose verbs are imported when they are called or listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Verbs in the order of VERBS."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the verb's module; None where there is no such verb."""
        target = VERBS.get(cmd_name)
        if target is None:
            return None
        module, attribute = target.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=LazyGroup)
@click.version_option(__version__, prog_name="weir")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.pass_context
def weir(ctx: click.Context, *, debug: bool) -> None:
    """An exchange for industrial event streams: billed == delivered == entitled.

    Exit codes: 0 done; 1 something of ours failed or does not agree; 2 the request was wrong.
    """
    ctx.ensure_object(dict)["debug"] = debug


def main(args: list[str] | None = None) -> Any:
    """Run the command; errors of ours are one line on standard error."""
    arguments = sys.argv[1:] if args is None else args
    try:
        return weir.main(args=arguments, standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except WeirError as error:
        if "--debug" in arguments:
            raise
        click.echo(f"weir: {error}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        # The last net: what nobody foresaw is ours to mend, and a user cannot read a traceback.
        if "--debug" in arguments:
            raise
        click.echo(f"weir: {_in_a_line(error)}; weir --debug shows where", err=True)
        sys.exit(WeirError.exit_code)


def _in_a_line(error: Exception) -> str:
    """What kind it is, and the first line of what the library below said."""
    # SQLAlchemy keeps the driver's error here; its own text adds the statement and a link.
    cause = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
