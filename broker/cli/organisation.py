"""`weir organisation`: companies, their tokens and their Kafka users."""

import re
from dataclasses import replace
from pathlib import Path

import click

from broker.cli.calls import Call, calls_api
from broker.cli.groups import Group
from broker.cli.secrets import check_new, write_secret
from broker.client.values import Account
from broker.errors import InvalidFieldError

_TOKEN_ID = re.compile(r"[0-9a-f]{16}")
_out = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the secret to, mode 0600; without it, it is printed.",
)
_role = click.option(
    "--role",
    type=click.Choice(["producer", "consumer", "both"]),
    default="both",
    show_default=True,
    help="Write your products, read your deliveries and quarantine, or both.",
)


@click.group(cls=Group)
def organisation() -> None:
    """Companies, their tokens and their Kafka users."""


@organisation.command()
@click.argument("slug")
@click.option("--name", required=True, help="The name it is shown by.")
@calls_api
def create(call: Call, slug: str, name: str) -> None:
    """Let a company in; the operator alone may.

    Exits 0 when it is in; 2 if the name was given before.
    """
    made = call.client.organisations.create(slug, name=name)
    call.show(made, f"organisation {made.id} is in; give it a token: weir organisation token")


@organisation.command("list")
@calls_api
def list_(call: Call) -> None:
    """List your organisation; for the operator, all."""
    call.table(call.client.organisations.list(), ["id", "name", "created_at"])


@organisation.command()
@click.argument("slug")
@click.option("--name", default="first", show_default=True, help="What you will know it by.")
@click.option("--days", type=click.IntRange(1, 3650), help="How long it is good; default for ever.")
@_out
@calls_api
def token(call: Call, slug: str, name: str, days: int | None, out: Path | None) -> None:
    """Make a bearer token of a company; it is shown once.

    Exits 0 when it is made; 2 if there is no such company.
    """
    check_new(out)
    lifetime_s = None if days is None else days * 24 * 60 * 60
    made = call.client.tokens.create(slug, name=name, lifetime_s=lifetime_s)
    what = f"token {made.id} of {slug}"
    if out is not None:
        write_secret(out, str(made.token))
        call.show(replace(made, token=None), f"{what} is in {out}")
    else:
        call.show(made, f"{what}, not shown again: {made.token}")


@organisation.command()
@click.argument("slug")
@calls_api
def tokens(call: Call, slug: str) -> None:
    """List the tokens of a company, revoked ones too."""
    columns = ["id", "name", "created_at", "expires_at", "revoked_at"]
    call.table(call.client.tokens.list(slug), columns)


@organisation.command("revoke-token")
@click.argument("slug")
@click.argument("token_id", metavar="ID")
@calls_api
def revoke_token(call: Call, slug: str, token_id: str) -> None:
    """End a token at once.

    ID is what `weir organisation tokens` lists, not the secret.

    Exits 0 when it is revoked, also if it was before; 2 if there is none.
    """
    # The secret in its stead would stand in the access log.
    if not _TOKEN_ID.fullmatch(token_id):
        raise InvalidFieldError(
            "ID",
            f"must be 16 hexadecimal digits, as `weir organisation tokens {slug}` lists them; it "
            "is not the secret",
        )
    found = call.client.tokens.revoke(slug, token_id)
    call.show(found, f"token {found.id} of {slug} is revoked")


@organisation.command()
@click.argument("slug")
@click.argument("name")
@_role
@_out
@calls_api
def account(call: Call, slug: str, name: str, role: str, out: Path | None) -> None:
    """Make a Kafka user of a company; its password is shown once.

    Exits 0 when it is made; 2 if its name was given before.
    """
    check_new(out)
    made = call.client.accounts.create(slug, name=name, role=role)  # type: ignore[arg-type]
    _hand_over(call, made, out)


@organisation.command()
@click.argument("slug")
@click.argument("name")
@_out
@calls_api
def rotate(call: Call, slug: str, name: str, out: Path | None) -> None:
    """Give a Kafka user another password.

    The old one stops working.

    Exits 0 when it is set; 2 if there is no such user.
    """
    check_new(out)
    renewed = call.client.accounts.renew_password(slug, name)
    _hand_over(call, renewed, out)


@organisation.command("delete-account")
@click.argument("slug")
@click.argument("name")
@calls_api
def delete_account(call: Call, slug: str, name: str) -> None:
    """End a Kafka user for good.

    Its rights go first, then the user. Its name is never given again.

    Exits 0 when it is deleted; 2 if there is none, or it was deleted before.
    """
    found = call.client.accounts.delete(slug, name)
    call.show(
        found, f"Kafka user {found.principal} is deleted; within seconds it can do nothing more"
    )


@organisation.command()
@click.argument("slug")
@calls_api
def accounts(call: Call, slug: str) -> None:
    """List the Kafka users of a company, deleted ones too."""
    call.table(call.client.accounts.list(slug), ["id", "principal", "role", "state"])


def _hand_over(call: Call, made: Account, out: Path | None) -> None:
    what = f"password of {made.principal}"
    if out is not None:
        write_secret(out, str(made.password))
        call.show(replace(made, password=None), f"{what} is in {out}")
    else:
        call.show(made, f"{what}, not shown again: {made.password}")
