"""`weir client`: settings for a stock client, and what is wrong when it does not get through."""

import json
import os
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import httpx

from broker.cli.groups import Group
from broker.cli.progress import progress
from broker.cli.secrets import read_secret
from broker.client import Client
from broker.client.properties import (
    LANGUAGES,
    PASSWORD_PLACEHOLDER,
    TOKEN_PLACEHOLDER,
    Connection,
    Registry,
    java_settings,
    registry_settings,
    render,
    render_registry,
    settings,
)
from broker.config import KafkaConfig, api_url, home_from, kafka_config
from broker.domain.names import delivery_topic, group_prefix, principal, product_topic, split_id
from broker.errors import InvalidFieldError

_MARKS = {True: "well", False: "WRONG", None: "skip"}
_options = [
    click.option("--account", required=True, metavar="ORG/ACCOUNT", help="The Kafka user."),
    click.option(
        "--password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File that holds its password.",
    ),
    click.option("--bootstrap", metavar="HOST:PORT", help="Default: as the home says."),
    click.option(
        "--security-protocol",
        type=click.Choice(["SASL_PLAINTEXT", "SASL_SSL"]),
        help="Default: as the home says, else SASL_SSL.",
    ),
    click.option("--ca-file", type=click.Path(exists=True), help="Of a private authority."),
    click.option("--group", help="Consumer group; default ORG.reader."),
    click.option("--home", metavar="DIR", help="Default $WEIR_HOME or .weir."),
]


def _with_options(command: Any) -> Any:
    for option in reversed(_options):
        command = option(command)
    return command


@click.group(cls=Group)
def client() -> None:
    """Settings for stock clients, and why one fails."""


@client.command()
@click.option("--for", "language", required=True, type=click.Choice(LANGUAGES))
@click.option(
    "--use",
    type=click.Choice(["consumer", "producer", "registry"]),
    default="consumer",
    show_default=True,
    help="What the client is; registry: where schemas are.",
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --use registry: your API token.",
)
@_with_options
@click.option("--json", "as_json", is_flag=True, help="Print the settings as one JSON object.")
def properties(
    language: Any,
    use: Any,
    token_file: Path | None,
    group: str | None,
    *,
    as_json: bool,
    **where: Any,
) -> None:
    """Print settings to paste.

    For a consumer, a producer or the schema registry.

    Exits 0; 2 if a name is wrong. Where no file is named, a placeholder stands for the secret.
    """
    if use == "registry":
        organisation, _ = split_id("--account", where["account"])
        token = read_secret(token_file, field="--token-file") or TOKEN_PLACEHOLDER
        url = api_url(home_from(os.environ, where["home"]))
        registry = Registry(url=f"{url}/registry", organisation=organisation, token=token)
        found = registry_settings(registry, language=language)
        text = render_registry(registry, language=language)
        click.echo(json.dumps(found, indent=1) + "\n" if as_json else text, nl=False)
        return
    config, organisation = _config(**where)
    connection = Connection(
        bootstrap=config.bootstrap,
        principal=config.username,
        password=config.password or PASSWORD_PLACEHOLDER,
        security_protocol=config.security_protocol,
        ca_file=config.ca_file,
        group=group or f"{group_prefix(organisation)}reader",
    )
    if as_json:
        found = (java_settings if language == "java" else settings)(connection, use)
        click.echo(json.dumps(found, indent=1))
    else:
        click.echo(render(connection, language=language, use=use), nl=False)


@client.command()
@click.option("--read", metavar="ORG/SUBSCRIPTION", help="A delivery you want to read.")
@click.option("--write", metavar="ORG/PRODUCT", help="A product you want to write.")
@_with_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a step.")
def test(
    read: str | None, write: str | None, group: str | None, *, as_json: bool, **where: Any
) -> None:
    """Try what your client does, and say what is wrong.

    Writing is tried by one record in a transaction that is aborted: nobody is delivered it.

    Exits 0 if nothing is wrong; 1 at the first step that is. What could not be tried is skipped.
    """
    from broker.client.probe import Wish, probe
    from broker.clock import SystemClock

    config, organisation = _config(**where)
    if not config.password:
        raise InvalidFieldError("--password-file", "is needed: name the file with the password")
    prefix = group_prefix(organisation)
    wish = Wish(
        read=delivery_topic("/".join(split_id("--read", read))) if read else None,
        group=group or f"{prefix}reader",
        write=product_topic("/".join(split_id("--write", write))) if write else None,
        transactional_id=f"{prefix}weir-client-test",
    )
    with progress("trying what your client does, one step after the other"):
        findings = probe(
            config,
            wish,
            now=SystemClock().now,
            api_clock=lambda: api_clock(where["home"]),
        )
    for one in findings:
        line = f"{_MARKS[one.ok]:<5}  {one.step:<10}  {one.words}"
        click.echo(json.dumps(asdict(one)) if as_json else line)
    if read is None and write is None:
        click.echo(
            "neither reading nor writing was tried: add --read ORG/SUBSCRIPTION or "
            "--write ORG/PRODUCT",
            err=True,
        )
    raise SystemExit(1 if any(one.ok is False for one in findings) else 0)


def _config(
    *,
    account: str,
    password_file: Path | None,
    bootstrap: str | None,
    security_protocol: str | None,
    ca_file: str | None,
    home: str | None,
) -> tuple[KafkaConfig, str]:
    """Where Kafka is, under the account's own name; and the account's organisation."""
    organisation, name = split_id("--account", account)
    if bootstrap:
        found = KafkaConfig(
            bootstrap=bootstrap, username="", password="", security_protocol="SASL_SSL"
        )
    else:
        try:
            found = kafka_config(home_from(os.environ, home))
        except InvalidFieldError as error:
            raise InvalidFieldError(
                "--bootstrap",
                f"is needed, since there is no exchange in {home_from(os.environ, home)}: "
                "--bootstrap HOST:PORT where its Kafka is, --security-protocol SASL_SSL or "
                "SASL_PLAINTEXT as its operator says, or --home",
            ) from error
    return (
        replace(
            found,
            username=principal(f"{organisation}/{name}"),
            password=read_secret(password_file, field="--password-file") or "",
            security_protocol=security_protocol or found.security_protocol,
            ca_file=ca_file or found.ca_file,
        ),
        organisation,
    )


def api_clock(home: str | None, *, http: httpx.BaseTransport | None = None) -> datetime | None:
    """The API's clock, which needs no token; None where no API is known, or none answers.

    Args:
        home: as `--home` says it.
        http: another transport, for tests.
    """
    try:
        url = api_url(home_from(os.environ, home))
    except InvalidFieldError:
        return None
    with Client(url, TOKEN_PLACEHOLDER, http=http) as api:
        return api.clock()
