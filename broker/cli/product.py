"""`weir product`: what you sell."""

import time

import click

from broker.cli.calls import Call, calls_api
from broker.cli.groups import Group
from broker.cli.progress import progress
from broker.client.errors import NotFoundError
from broker.client.values import Product, ProductCheck, SeenRecord
from broker.domain.period import DAY_MS
from broker.domain.product import RETENTION_DEFAULT_MS
from broker.errors import UnavailableError

_WAIT_S = 30.0
_POLL_S = 0.2
_CLASSIFICATION = click.Choice(["public", "internal", "confidential", "restricted"])


@click.group(cls=Group)
def product() -> None:
    """Streams for sale: a Kafka topic and a schema each."""


@product.command()
@click.argument("product_id", metavar="ORG/PRODUCT")
@click.option("--title", required=True, help="One line for the catalogue.")
@click.option("--description", default="", help="What is in it.")
@click.option("--partitions", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option(
    "--retention-days",
    type=click.IntRange(1, 3650),
    default=RETENTION_DEFAULT_MS // DAY_MS,
    show_default=True,
    help="At least the longest period of its plans and the dispute window.",
)
@click.option(
    "--classification",
    type=_CLASSIFICATION,
    default="internal",
    show_default=True,
)
@click.option(
    "--validation",
    type=click.Choice(["header", "full"]),
    default="header",
    show_default=True,
    help="header: the schema id is checked; full: the body is decoded too.",
)
@click.option("--event-time", metavar="FIELD", help="Field of the value that holds event time.")
@calls_api
def create(
    call: Call,
    product_id: str,
    title: str,
    description: str,
    *,
    partitions: int,
    retention_days: int,
    classification: str,
    validation: str,
    event_time: str | None,
) -> None:
    """Draft a product.

    Nothing of it exists in Kafka before it is published.

    Exits 0 when it is drafted; 2 if a field is wrong or the name was given before.
    """
    made = call.client.products.create(
        product_id,
        title=title,
        description=description,
        partitions=partitions,
        retention_ms=retention_days * DAY_MS,
        classification=classification,
        validation=validation,
        event_time_field=event_time,
    )
    call.show(made, f"product {made.id} is drafted; offer it: weir product publish {made.id}")


@product.command()
@click.argument("product_id", metavar="ORG/PRODUCT")
@click.option("--wait/--no-wait", default=True, help="Until its topics are there.")
@calls_api
def publish(call: Call, product_id: str, *, wait: bool) -> None:
    """Offer a product.

    Its topics are made, then it can be bought.

    Exits 0 when it is published; 1 if its topics are not there within 30 s (they still come); 2 if
    it is no draft.
    """
    found = call.client.products.publish(product_id)
    if wait:
        with progress(f"{product_id}: waiting for its topics"):
            found = _wait_published(call, found)
    call.show(found, f"product {found.id} is {found.state}; producers write to {found.topic}")


@product.command("list")
@click.option("--offered", is_flag=True, help="What anybody may buy, instead of your own.")
@click.option("--words", help="With --offered: in id, title or description.")
@calls_api
def list_(call: Call, *, offered: bool, words: str | None) -> None:
    """List your products, or the catalogue."""
    if offered:
        columns = ["id", "title", "classification", "partitions"]
        call.table(call.client.catalogue.search(words), columns)
    else:
        call.table(call.client.products.list(), ["id", "state", "topic", "partitions", "title"])


@product.command()
@click.argument("product_id", metavar="ORG/PRODUCT")
@click.option("--offered", is_flag=True, help="As a buyer sees it, with its plans.")
@calls_api
def show(call: Call, product_id: str, *, offered: bool) -> None:
    """Show one product.

    Exits 0; 2 if there is none that you may see.
    """
    if offered:
        found = call.client.catalogue.get(product_id)
        call.describe(found, one_each="plans")
        return
    try:
        call.describe(call.client.products.get(product_id))
    except NotFoundError:
        click.echo("another's product is shown with --offered", err=True)
        raise


@product.command()
@click.argument("product_id", metavar="ORG/PRODUCT")
@click.option("--title", help="One line for the catalogue.")
@click.option("--description", help="What is in it.")
@click.option("--classification", type=_CLASSIFICATION)
@click.option(
    "--partitions", type=click.IntRange(1, 64), help="Only more; keys move to other partitions."
)
@click.option("--retention-days", type=click.IntRange(1, 3650))
@calls_api
def change(
    call: Call, product_id: str, *, retention_days: int | None, **given: str | int | None
) -> None:
    """Change words, retention or partitions.

    Its name, validation and event-time field stay. Records may flow meanwhile.

    Exits 0 when it is changed; 2 if a field is wrong, nothing is to be changed, or it is retired.
    """
    changes = {name: value for name, value in given.items() if value is not None}
    if retention_days is not None:
        changes["retention_ms"] = retention_days * DAY_MS
    if not changes:
        raise click.UsageError("nothing to change; name at least one option")
    found = call.client.products.change(product_id, if_match=None, **changes)
    words = f"product {found.id} is changed"
    if found.published_partitions not in {None, found.partitions}:
        words += f"; its topics get {found.partitions} partitions within seconds"
    call.show(found, words)


@product.command()
@click.argument("product_id", metavar="ORG/PRODUCT")
@calls_api
def retire(call: Call, product_id: str) -> None:
    """Take no more records and no more subscriptions.

    Open requests are rejected.

    Exits 0 when it is retired; 2 if it was already, or while subscriptions run: it names them, and
    `weir subscription revoke` ends each.
    """
    found = call.client.products.retire(product_id)
    call.show(found, f"product {found.id} is retired")


@product.command()
@click.argument("product_id", metavar="ORG/PRODUCT")
@calls_api
def check(call: Call, product_id: str) -> None:
    """Show the last valid and the last refused record.

    The refused one with its reason.

    Exits 0; 2 if there is no such product of yours.
    """
    found = call.client.products.check(product_id)
    call.show(found, _words(found))


def _wait_published(call: Call, found: Product) -> Product:
    deadline = time.monotonic() + _WAIT_S
    while found.state == "publishing":
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"product {found.id}: its topics are not there after {_WAIT_S:.0f} s; they "
                "follow, see `weir reconcile --dry-run`"
            )
        time.sleep(_POLL_S)
        found = call.client.products.get(found.id)
    return found


def _words(found: ProductCheck) -> str:
    lines = [
        f"last valid    {_record(found.last_valid)}",
        f"last refused  {_record(found.last_refused)}",
    ]
    if found.last_refused is not None:
        lines.append(f"              {found.last_refused.reason}: {found.last_refused.explanation}")
    return "\n".join([*lines, found.note] if found.note else lines)


def _record(seen: SeenRecord | None) -> str:
    if seen is None:
        return "none"
    size = "no value" if seen.value_bytes is None else f"{seen.value_bytes} bytes"
    schema = "" if seen.schema_id is None else f", schema {seen.schema_id}"
    return (
        f"{seen.at.isoformat(timespec='seconds')}, partition {seen.partition}, "
        f"offset {seen.offset}, key {seen.key!r}, {size}{schema}"
    )
