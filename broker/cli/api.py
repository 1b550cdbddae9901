"""What the verbs that ask the API share: the client, and values as JSON."""

import json
import os
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from broker.client import Client
from broker.config import connections, home_from
from broker.errors import InvalidFieldError

home_option = click.option(
    "--home", metavar="DIR", help="The exchange's home (WEIR_HOME, default .weir)."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")


def api_client(home: str | None) -> Client:
    """A client as WEIR_TOKEN's holder, or else as the home's operator.

    Raises:
        InvalidFieldError: nothing says where the API is, or who asks.
    """
    known = connections(home_from(os.environ, home))
    if not known.api_url:
        raise InvalidFieldError("WEIR_API_URL", "is not set; run `weir up`, or set it")
    if not known.operator_token:
        raise InvalidFieldError(
            "WEIR_TOKEN", "is not set; set it or WEIR_TOKEN_FILE to a token of yours"
        )
    return Client(known.api_url, known.operator_token)


def to_json(value: Any) -> str:
    """A client's value, or a list of them, as one line of JSON."""
    plain = [asdict(one) for one in value] if isinstance(value, list) else asdict(value)
    return json.dumps(plain, default=_time)


def _time(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__}: is no JSON")
