"""What the verbs that speak to the API share: where it is, as whom, and how answers are printed."""

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import click

from broker.cli.terminal import visible, visible_json
from broker.client import Client
from broker.config import api_config, home_from
from broker.domain.names import split_id

Command: TypeAlias = Callable[..., None]
_HIDDEN = {"token", "password"}
_IDS = {"product_id", "plan_id", "subscription_id", "product", "plan", "subscription"}
_TOKENS = ("WEIR_TOKEN_FILE", "WEIR_TOKEN")


class Call:
    """One run of a verb: the API, and how to print."""

    def __init__(self, client: Client, *, home: Path, as_json: bool) -> None:
        self.client = client
        self.home = home
        self._as_json = as_json

    def show(self, value: Any, words: str) -> None:
        """Print one value: as JSON, or a sentence about it."""
        if self._as_json:
            click.echo(visible_json(asdict(value)))
        else:
            click.echo("\n".join(map(visible, words.split("\n"))))

    def describe(self, value: Any, *, one_each: str | None = None) -> None:
        """Print one value: as JSON, or one line a field, and one line an item of `one_each`."""
        if self._as_json:
            click.echo(visible_json(asdict(value)))
            return
        shown = {name: one for name, one in asdict(value).items() if name not in _HIDDEN}
        width = max(map(len, shown))
        for name, one in shown.items():
            for part in one if name == one_each else [one]:
                click.echo(f"{name:<{width}}  {_text(part)}")

    def table(self, values: Iterable[Any], columns: Sequence[str]) -> None:
        """Print many values: as a JSON array, or some of their fields side by side."""
        found = list(values)
        if self._as_json:
            click.echo("[" + ",\n".join(visible_json(asdict(one)) for one in found) + "]")
            return
        rows = [columns, *([_text(getattr(one, name)) for name in columns] for one in found)]
        widths = [max(len(row[place]) for row in rows) for place in range(len(columns))]
        for row in rows:
            cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
            click.echo("  ".join(cells).rstrip())


def calls_api(command: Command) -> Command:
    """Give a verb `--home`, `--token-file`, `--json`, and a `Call` as its first argument."""

    @click.option(
        "--home", metavar="DIR", help="Home of the exchange; default $WEIR_HOME or .weir."
    )
    @click.option(
        "--token-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Your token; default $WEIR_TOKEN_FILE, $WEIR_TOKEN, then the home's operator.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(command)
    def run(home: str | None, token_file: Path | None, *, as_json: bool, **given: Any) -> None:
        for name in _IDS & given.keys():
            if given[name] is not None:
                split_id(name.removesuffix("_id"), given[name])
        where = home_from(os.environ, home)
        found = api_config(where, token_file=token_file)
        if token_file is None and not any(map(os.environ.get, _TOKENS)):
            click.echo("as operator; --token-file speaks as a company", err=True)
        with Client(found.url, found.token) as client:
            command(Call(client, home=where, as_json=as_json), **given)

    return run


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, dict | list | tuple):
        value = visible_json(value)
    return visible(str(value))
