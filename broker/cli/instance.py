"""`--instance`: what tells a process from others of its kind, in ids, metrics and logs."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from broker.errors import InvalidFieldError

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def instance_option(kind: str) -> Callable[[_Command], _Command]:
    """The option; `kind` in the plural, as its help says it."""
    return click.option(
        "--instance",
        default="0",
        show_default=True,
        callback=_checked,
        help=f"Name; unique among {kind}.",
    )


def _checked(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not _NAME.fullmatch(value):
        raise InvalidFieldError(
            "--instance", f"must be 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-', is {value!r}"
        )
    return value
