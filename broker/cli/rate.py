"""`weir rate`: what a price makes of usage, without an exchange."""

import json
from collections.abc import Iterator
from typing import BinaryIO

import click

from broker.billing.case import rate_case
from broker.billing.document import read_json
from broker.errors import InvalidFieldError

_WRAP = (
    "this is a bare price, as `weir plan create` takes it; wrap it: "
    '{"name": "try", "price": …, "usage": {"records": "1000"}}'
)


@click.command()
@click.argument("file", type=click.File("rb"), required=False)
@click.option(
    "--cases", type=click.File("rb"), metavar="FILE.jsonl", help="Rate one document per line."
)
def rate(file: BinaryIO | None, cases: BinaryIO | None) -> None:
    """Show what a price makes of usage, without an exchange.

    FILE is a JSON document of name, price, usage and context; prints one line of JSON.

    Exits 0 if every document was rated; 2 if one is faulty, naming its field (the others are still
    rated).
    """
    if (file is None) == (cases is None):
        raise click.UsageError(
            "name one file: weir rate FILE.json, or weir rate --cases FILE.jsonl"
        )
    faulty = False
    for text in _documents(file, cases):
        result = rate_case(text)
        faulty = faulty or "error" in result
        click.echo(json.dumps(result))
        if file is not None and "error" in result and _is_bare_price(text):
            click.echo(_WRAP, err=True)
    if faulty:
        raise SystemExit(2)


def _is_bare_price(text: bytes) -> bool:
    """Whether it is what `weir plan create` takes."""
    try:
        document = read_json(text.decode(errors="replace"))
    except InvalidFieldError:
        return False
    return isinstance(document, dict) and "currency" in document and "price" not in document


def _documents(file: BinaryIO | None, cases: BinaryIO | None) -> Iterator[bytes]:
    if file is not None:
        yield file.read()
    elif cases is not None:
        yield from (line for line in cases if line.strip())
