"""`weir plan`: what your products cost."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from broker.billing.document import read_json
from broker.billing.price import parse_price
from broker.cli.calls import Call, calls_api
from broker.cli.groups import Group
from broker.client.errors import ApiError, RefusedError
from broker.client.values import PlanVersion
from broker.domain.period import DAY_MS, parse_period
from broker.domain.plan import DELIVERY_RETENTION_DEFAULT_MS
from broker.errors import InvalidFieldError

_PRICE_BYTES_MAX = 64 * 1024
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)


def _with_terms(*, kept: bool) -> Callable[[Any], Any]:
    """Options of a version; `kept`: what is not given stays as in the version before."""

    def option(name: str, default: str | int, words: str, **more: Any) -> Any:
        if kept:
            return click.option(name, help=f"{words} [default: as before]", **more)
        return click.option(name, default=default, show_default=True, help=words, **more)

    options = (
        click.option(
            "--price",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            required=True,
            help="JSON file, as docs/billing.md has it; try it with `weir rate`.",
        ),
        option(
            "--period",
            "month",
            "Calendar months, or a fixed length for trials.",
            metavar="month|SECONDS",
        ),
        option("--time-zone", "UTC", "In which months begin."),
        option(
            "--delivery-days",
            DELIVERY_RETENTION_DEFAULT_MS // DAY_MS,
            "How long a buyer can read what was delivered.",
            type=click.IntRange(1, 3650),
        ),
        option(
            "--approval",
            "manual",
            "automatic: every request is approved at once.",
            type=click.Choice(["manual", "automatic"]),
        ),
    )

    def give(command: Any) -> Any:
        for one in reversed(options):
            command = one(command)
        return command

    return give


@click.group(cls=Group)
def plan() -> None:
    """Prices and terms of your products, in versions.

    A version never changes once it is published.
    """


@plan.command()
@click.argument("plan_id", metavar="ORG/PLAN")
@click.option("--product", required=True, metavar="ORG/PRODUCT")
@click.option("--title", required=True, help="One line for the catalogue.")
@_with_terms(kept=False)
@calls_api
def create(call: Call, plan_id: str, product: str, title: str, **terms: Any) -> None:
    """Name a plan and draft its first version.

    Exits 0 when it is drafted; 2 if the price or another field is wrong, by its name. The price and
    the period are read before the plan is named, since a name is never given twice.
    """
    drafted = _terms_of(None, **terms)
    call.client.plans.create(plan_id, product=product, title=title)
    try:
        made = call.client.plans.draft(plan_id, **drafted)
    except ApiError as error:
        state = "exists without a version" if isinstance(error, RefusedError) else "exists"
        again = f"weir plan draft {plan_id} --price {terms['price']}"
        click.echo(f"the plan {state}: `{again}`", err=True)
        raise
    call.show(made, f"plan {plan_id} is drafted; offer it: weir plan publish {plan_id}")


@plan.command()
@click.argument("plan_id", metavar="ORG/PLAN")
@_with_terms(kept=True)
@calls_api
def draft(call: Call, plan_id: str, **terms: Any) -> None:
    """Draft the next version of a plan.

    What is not given stays as in the newest version. Subscriptions keep the one they have.

    Exits 0 when it is drafted; 2 if the price or another field is wrong, by its name.
    """
    before = max(call.client.plans.versions(plan_id), key=lambda one: one.number, default=None)
    made = call.client.plans.draft(plan_id, **_terms_of(before, **terms))
    call.show(made, f"plan {plan_id}: version {made.number} is drafted")


@plan.command()
@click.argument("plan_id", metavar="ORG/PLAN")
@click.option("--number", type=click.IntRange(1), help="Which version; default the newest.")
@calls_api
def publish(call: Call, plan_id: str, number: int | None) -> None:
    """Offer a version.

    From here on nothing in it changes.

    Exits 0 when it is on sale; 2 if it is no draft.
    """
    wanted = number or max((one.number for one in call.client.plans.versions(plan_id)), default=1)
    found = call.client.plans.publish(plan_id, wanted)
    call.show(found, f"plan {plan_id}: version {found.number} is {found.state}")


@plan.command()
@click.argument("plan_id", metavar="ORG/PLAN")
@click.option("--number", type=click.IntRange(1), required=True, help="Which version.")
@calls_api
def withdraw(call: Call, plan_id: str, number: int) -> None:
    """Take a version from sale.

    Subscriptions that have it keep it.

    Exits 0 when it is withdrawn; 2 if it is not on sale.
    """
    found = call.client.plans.withdraw(plan_id, number)
    call.show(found, f"plan {plan_id}: version {found.number} is {found.state}")


@plan.command()
@click.argument("plan_id", metavar="ORG/PLAN")
@click.option("--version", "number", type=click.IntRange(1), help="This version alone.")
@calls_api
def show(call: Call, plan_id: str, number: int | None) -> None:
    """Show the versions of a plan.

    To a buyer those on sale and those that it has ever had.

    Exits 0; 2 if there is none that you may see.
    """
    columns = ["number", "state", "period", "approval", "price"]
    plans = call.client.plans
    found = plans.versions(plan_id) if number is None else [plans.version(plan_id, number)]
    call.table(found, columns)


@plan.command("list")
@click.option("--product", metavar="ORG/PRODUCT", help="Of this product alone.")
@calls_api
def list_(call: Call, product: str | None) -> None:
    """List your plans."""
    call.table(call.client.plans.list(product=product), ["id", "product", "title"])


def _terms_of(
    before: PlanVersion | None,
    *,
    price: Path,
    period: str | None,
    time_zone: str | None,
    delivery_days: int | None,
    approval: str | None,
) -> dict[str, Any]:
    """What is given; for the rest the terms of the version before, or the API's own."""
    kept: dict[str, Any] = {"period": _period("month", "UTC")}
    if before is not None:
        names = ("period", "delivery_retention_ms", "approval", "terms")
        kept = {name: getattr(before, name) for name in names}
    given = {
        "price": _price(price),
        "period": _period(period or "month", time_zone or "UTC") if period or time_zone else None,
        "delivery_retention_ms": None if delivery_days is None else delivery_days * DAY_MS,
        "approval": approval,
    }
    return kept | {name: value for name, value in given.items() if value is not None}


def _period(period: str, time_zone: str) -> dict[str, Any]:
    """The period as it is sent, read here for the same reason as the price.

    Raises:
        InvalidFieldError: names the option.
    """
    option = "--time-zone"
    sent: dict[str, Any] = {"calendar": "month", "time_zone": time_zone}
    if period != "month":
        if not _SECONDS.fullmatch(period):
            raise InvalidFieldError("--period", f"must be month or whole seconds, is {period!r}")
        option, sent = "--period", {"length_s": int(period)}
    try:
        return parse_period(sent).to_json()
    except InvalidFieldError as error:
        raise InvalidFieldError(option, error.rule) from error


def _price(path: Path) -> dict[str, Any]:
    """The price as it is sent; read here as the API reads it, so that a faulty one creates nothing.

    Raises:
        InvalidFieldError: names the field of the price.
    """
    if path.stat().st_size > _PRICE_BYTES_MAX:
        raise InvalidFieldError("--price", f"{path} has more than {_PRICE_BYTES_MAX} bytes")
    try:
        text = path.read_text()
        sent: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidFieldError("--price", f"{path} is no JSON ({error}); mend it") from error
    parse_price(read_json(text))
    return sent
