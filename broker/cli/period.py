"""`weir period`: close a product's billing time by proof, and see how far it is proven."""

import re
import time
from datetime import UTC, datetime

import click

from broker.cli.calls import Call, calls_api
from broker.cli.groups import Group
from broker.cli.progress import progress
from broker.client import Client
from broker.client.values_billing import Close, Proof
from broker.errors import ConflictError, InvalidFieldError

_POLL_S = 0.25
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(Z|[+-]\d{2}:\d{2}|)", re.ASCII)


@click.group(cls=Group)
def period() -> None:
    """Billing periods: closed by proof, then billed."""


@period.command()
@click.argument("product", metavar="ORG/PRODUCT")
@click.option(
    "--end",
    default="now",
    show_default=True,
    metavar="now|TIMESTAMP",
    help="Where billing time is to be closed, e.g. 2026-02-01T00:00:00+01:00; not in the future.",
)
@click.option("--draft", is_flag=True, help="Leave the invoices as drafts.")
@click.option(
    "--interim/--no-interim",
    default=True,
    show_default=True,
    help="Bill what there is so far of periods that go on, or only those that have ended.",
)
@click.option(
    "--wait-s",
    type=click.FloatRange(0, 3600),
    default=60.0,
    show_default=True,
    help="Wait so long for the invoices; 0 only asks.",
)
@calls_api
def close(call: Call, product: str, end: str, *, draft: bool, interim: bool, wait_s: float) -> None:
    """Close a product's billing time by proof, and bill it.

    Every partition of ORG/PRODUCT is asked to prove that it has reached the end; then it is billed.

    Exits 0 when it is billed, or asked for with --wait-s 0; 1 if the proof takes longer, naming
    what is missing: it goes on by itself, see `weir period show`.
    """
    end_ms = None if end == "now" else to_ms(end)
    asked = call.client.products.close(product, end_ms=end_ms, finalise=not draft, interim=interim)
    shown = _billed(call.client, asked, wait_s)
    call.show(shown, _words(shown))
    if wait_s > 0 and shown.close.settled_at is None:
        raise SystemExit(1)


@period.command()
@click.argument("product", metavar="ORG/PRODUCT")
@click.option("--end", metavar="TIMESTAMP", help="Of which close; the latest if left out.")
@calls_api
def show(call: Call, product: str, end: str | None) -> None:
    """Show how far a close is proven.

    Which partitions of ORG/PRODUCT have not proven it, and whether it was billed.

    Exits 0; 2 if there is no such close.
    """
    end_ms = _latest_ms(call.client, product) if end is None else to_ms(end)
    shown = call.client.products.proof(product, end_ms)
    call.show(shown, _words(shown))


def to_ms(timestamp: str) -> int:
    """Milliseconds since 1970 UTC of an ISO 8601 moment with its offset, or of themselves.

    A date is its midnight: `2026-02-01Z`.

    Raises:
        InvalidFieldError: it is neither.
    """
    if timestamp.isascii() and timestamp.isdecimal():
        return int(timestamp)
    date = _DATE.fullmatch(timestamp)
    try:
        at = datetime.fromisoformat(f"{date[1]}T00:00:00{date[2]}" if date else timestamp)
    except ValueError as error:
        raise InvalidFieldError(
            "end",
            "must be now or a moment like 2026-02-01T00:00:00+01:00, or a date like 2026-02-01Z, "
            f"is {timestamp}",
        ) from error
    if at.tzinfo is None:
        raise InvalidFieldError(
            "end",
            f"must say its offset from UTC, is {timestamp}; add Z for UTC, or one like +01:00",
        )
    return round(at.timestamp() * 1000)


def at_text(at_ms: int) -> str:
    """A moment for people, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).isoformat(timespec="milliseconds")


def _latest_ms(client: Client, product: str) -> int:
    latest = next(client.products.closes(product), None)
    if latest is None:
        raise ConflictError(
            f"period close {product}: nothing was closed yet; `weir period close {product}` does, "
            "and the exchange by itself when a subscription's period ends"
        )
    return latest.end_ms


def _billed(client: Client, asked: Close, wait_s: float) -> Proof:
    """The close once it is billed, or as it stands when the time is over."""
    deadline = time.monotonic() + wait_s
    with progress(f"{asked.product}: waiting for its partitions to prove the end") as say:
        while True:
            shown = client.products.proof(asked.product, asked.end_ms)
            if shown.close.settled_at is not None or time.monotonic() >= deadline:
                return shown
            say(_awaited(shown))
            time.sleep(_POLL_S)


def _awaited(shown: Proof) -> str:
    if not shown.missing:
        return f"{shown.close.product}: proven, waiting for its invoices"
    numbers = ", ".join(str(missing.partition) for missing in shown.missing)
    what = f"partition {numbers} has" if len(shown.missing) == 1 else f"partitions {numbers} have"
    return f"{shown.close.product}: {what} not proven the end yet"


def _words(shown: Proof) -> str:
    asked = shown.close
    words = [f"{asked.product} closed at {at_text(asked.end_ms)} (control seq {asked.seq})"]
    words += [f"  partition {missing.partition}: {missing.why}" for missing in shown.missing]
    if asked.settled_at is not None:
        words.append(f"  proven and billed; see: weir invoice list --product {asked.product}")
    elif shown.complete:
        words.append("  proven, not billed yet")
    return "\n".join(words)
