"""Table: a report as text for a terminal."""

import io
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from broker.verify.report import Amount, Range, Report
from broker.verify.rounding import minor_digits

_WIDTH = 140
_RANGES_SHOWN = 20


def table(report: Report) -> str:
    """A row a product, a row a subscription, then what differs and what could not be compared."""
    console = Console(file=io.StringIO(), width=_WIDTH, highlight=False, markup=False)
    console.print(_products(report))
    console.print(_subscriptions(report))
    _ranges(console, "undeliverable (not billed)", report.undeliverable)
    _ranges(console, "chain only (not compared)", report.chain_only)
    _ranges(console, "gap", report.gaps)
    for late in report.unbilled[:_RANGES_SHOWN]:
        console.print(f"not yet billed: {late}", soft_wrap=True)
    if len(report.unbilled) > _RANGES_SHOWN:
        console.print(f"not yet billed: {len(report.unbilled) - _RANGES_SHOWN} more periods")
    for difference in report.differences:
        console.print(f"DIFFERS  {difference}", soft_wrap=True)
    hidden = report.differences_total - len(report.differences)
    if hidden:
        console.print(f"… and {hidden} more differences")
    for subscription in report.unexplained:
        console.print(f"DIFFERS  the counts of {subscription}, by more than is chain only")
    console.print(_verdict(report))
    file = console.file
    return file.getvalue().rstrip("\n") if isinstance(file, io.StringIO) else ""


def _products(report: Report) -> Table:
    rows = Table("product", "source records", "valid", "quarantined", "reasons")
    for product in report.products:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in product.refused.items())
        refused = sum(product.refused.values())
        rows.add_row(
            product.product,
            f"{product.source_records:,}",
            f"{product.valid_records:,}",
            f"{refused:,}",
            reasons,
        )
    return rows


def _subscriptions(report: Report) -> Table:
    rows = Table(
        "subscription", "plan", "count", "entitled", "delivered", "metered", "billed", "invoiced"
    )
    for one in report.subscriptions:
        rows.add_row(
            one.subscription,
            one.plan,
            "records",
            *(
                f"{count:,}"
                for count in (
                    one.entitled_records,
                    one.delivered_records,
                    one.metered_records,
                    one.billed_records,
                )
            ),
            _invoiced(one.invoices),
        )
        counts = (one.entitled_bytes, one.delivered_bytes, one.metered_bytes, one.billed_bytes)
        rows.add_row("", "", "bytes", *(f"{count:,}" for count in counts), "")
    return rows


def _invoiced(invoices: Iterable[Amount]) -> str:
    sums: dict[str, int] = {}
    for invoice in invoices:
        sums[invoice.currency] = sums.get(invoice.currency, 0) + invoice.total_minor
    return ", ".join(
        f"{_major(minor, minor_digits(currency))} {currency}" for currency, minor in sums.items()
    )


def _major(minor: int, digits: int) -> str:
    sign = "-" if minor < 0 else ""
    text = str(abs(minor)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


def _ranges(console: Console, label: str, ranges: tuple[Range, ...]) -> None:
    for one in ranges[:_RANGES_SHOWN]:
        of = f" {one.subscription}" if one.subscription else ""
        console.print(
            f"{label}: {one.product}{of} partition {one.partition} offsets "
            f"[{one.first_offset}, {one.next_offset}), {one.records:,} records: {one.why}",
            soft_wrap=True,
        )
    if len(ranges) > _RANGES_SHOWN:
        console.print(f"{label}: {len(ranges) - _RANGES_SHOWN} more ranges")


def _verdict(report: Report) -> str:
    looked = f"{report.segments:,} segments, {report.invoices:,} invoices"
    if report.differences_total:
        return f"{report.differences_total:,} differences ({looked})"
    if not report.agrees:
        return f"the counts do not add up ({looked})"
    if report.chain_only:
        return f"all that can still be compared agrees; the rest is chain only ({looked})"
    return f"all agree ({looked})"
