"""The story, in order: up, market, stream, refusals, closing, invoices, recount, table, down."""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from broker.config import Connections, connections
from broker.local.background import bring_up, take_down
from broker.local.demo.bills import Billed, billed
from broker.local.demo.cast import Actor
from broker.local.demo.market import OFFERS, PRODUCT, TRIAL, Market, open_market
from broker.local.demo.refusals import attempt_all
from broker.local.demo.screen import Screen
from broker.local.demo.stream import GATEWAY_RECORDS, Streamed, stream
from broker.local.demo.telemetry import RECORDS, TURBINES, fetch
from broker.local.demo.waiting import until
from broker.local.jars import kafka_classpath
from broker.verify.recount import recount
from broker.verify.report import Report

ROUTERS = 2
_CLOSE_TIMEOUT_S = 120.0
# Billing periods last a little longer than the stream does on two cores.
_PERIOD_S, _STREAM_S = 20, 20


@dataclass(frozen=True, kw_only=True)
class Told:
    """The demo's result: what stands in report.json, and whether all counts agree."""

    report: dict[str, Any]
    agrees: bool
    market: Market


def tell(directory: Path, *, keep: bool, console: Console, records: int = RECORDS) -> Told:
    """Tell it all; the exchange lives in `directory/exchange`, the report in `report.json`.

    Args:
        directory: made anew; an exchange of an earlier demo in it is taken down first.
        keep: leave the exchange running.
        console: where it is told.
        records: how many readings are published.

    Raises:
        WeirError: something of it could not be done.
    """
    screen = Screen(console)
    home, actors = directory / "exchange", directory / "actors"
    screen.step("Set-up: telemetry, Kafka, PostgreSQL, the exchange")
    forget(directory)
    actors.mkdir(parents=True, mode=0o700)
    kafka_classpath()
    screen.fact(f"telemetry of La Haute Borne, Licence Ouverte: {fetch().name}")
    try:
        bring_up(home, ["--home", str(home), "--routers", str(ROUTERS)], report=lambda _: None)
        screen.fact(f"up: Kafka, PostgreSQL, serve, {ROUTERS} routers, ledger in {home}")
        told = _story(connections(home, {}), home, actors, screen, records=records)
        write(directory, told.report)
    except BaseException:
        take_down(home)
        raise
    if not keep:
        take_down(home)
    return told


def forget(directory: Path) -> None:
    """Take down and remove what an earlier demo left."""
    home = directory / "exchange"
    take_down(home)
    location = home / "postgres" / "location"
    if location.exists():
        shutil.rmtree(location.read_text(), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


def write(directory: Path, report: dict[str, Any]) -> None:
    """The report, as JSON."""
    (directory / "report.json").write_text(json.dumps(report, indent=2) + "\n")


def _story(where: Connections, home: Path, actors: Path, screen: Screen, *, records: int) -> Told:
    begun_s = time.monotonic()
    screen.step("The market: companies, one product, three prices")
    market = open_market(where, screen, period_s=_PERIOD_S + _STREAM_S * records // RECORDS)
    screen.step(f"The stream: {records:,} records, a faulty gateway, a revocation, a killed router")
    streamed = stream(market, home, actors, screen, records=records)
    try:
        screen.step("Refusals: what is not yours you do not read")
        refused = attempt_all(market, screen)
        screen.step("Closing: every partition proves the period's end")
        _close(market, screen)
        received = {name: buyer.finish() for name, buyer in streamed.buyers.items()}
    finally:
        for buyer in streamed.buyers.values():
            buyer.kill()
    screen.step("Recount: weir verify, from Kafka and PostgreSQL alone")
    counter = _counter(market, actors)
    try:
        verified = recount(where)
        delivered = counter.wait()
    finally:
        counter.kill()
    for difference in verified.differences:
        screen.fact(str(difference))
    screen.fact("all agrees" if verified.agrees else "it does NOT agree")
    report = _report(market, streamed, verified, received, delivered)
    report["refused_attempts"] = refused
    report["elapsed_s"] = round(time.monotonic() - begun_s, 1)
    _table(report, screen)
    return Told(report=report, agrees=_agrees(report), market=market)


def _counter(market: Market, actors: Path) -> Actor:
    topics = [one.delivery_topic for one in market.subscriptions.values()]
    told = {
        "kafka": market.connections.kafka.client(),
        "topics": dict.fromkeys(topics, len(TURBINES)),
    }
    return Actor("counter", "counter", told, actors)


def _close(market: Market, screen: Screen) -> None:
    """Up to the end of the last one's first period, and only what has ended; or up to now.

    On a slow machine the first periods end while records still flow: then what there is of the
    second ones is billed so far.
    """
    ends = [
        (s.period_anchor_ms or 0) + (s.period_length_ms or 0) for s in market.subscriptions.values()
    ]
    interim = min(ends) <= time.time() * 1000
    end_ms = int(time.time() * 1000) if interim else max(ends)
    wait_s = end_ms / 1000 - time.time()
    if wait_s > 0:
        screen.fact(f"the period ends in {wait_s:.0f} s")
        until(
            lambda: time.time() * 1000 >= end_ms or None,
            what="the end of the period",
            timeout_s=wait_s + 5,
        )
    with market.as_(market.seller) as selling:
        selling.products.close(PRODUCT, end_ms=end_ms, interim=interim)
        until(
            lambda: (
                p
                if (p := selling.products.proof(PRODUCT, end_ms)).complete and p.close.settled_at
                else None
            ),
            what=f"proof of the period's end by every partition of {PRODUCT}",
            timeout_s=_CLOSE_TIMEOUT_S,
        )
        screen.fact("every partition has a segment at the close and a watermark past the end")
        made = list(selling.invoices.list(product=PRODUCT))
        for invoice in made:
            screen.fact(
                f"invoice {invoice.number} to {invoice.buyer}: {invoice.records:,} records, "
                f"{invoice.billed_bytes:,} bytes, net {invoice.net}, tax {invoice.tax}, "
                f"total {invoice.total} {invoice.currency}"
            )
        for payout in selling.invoices.payouts():
            screen.fact(
                f"payout to {payout.seller}: {payout.amount} {payout.currency}, "
                "the net sums less the exchange's fee of 5 %"
            )
        if len(made) > len(OFFERS):
            screen.fact("periods ended while records flowed: each has an invoice of its own")


def _report(
    market: Market,
    streamed: Streamed,
    verified: Report,
    received: dict[str, dict[str, Any]],
    delivered: dict[str, Any],
) -> dict[str, Any]:
    product = next(p for p in verified.products if p.product == PRODUCT)
    bills = billed(market.connections)
    recounted = {s.subscription: s for s in verified.subscriptions}
    nothing = Billed(records=0, size_bytes=0, amount=0, currency="EUR")  # type: ignore[arg-type]
    rows = []
    for offer in OFFERS:
        name = offer.subscription
        bill = bills.get(name, nothing)
        topic = market.subscriptions[name].delivery_topic
        rows.append(
            {
                "id": name,
                "plan": offer.plan,
                "entitled": recounted[name].entitled_records,
                "delivered": delivered[topic],
                "received": received[name]["received"],
                "received_bytes": received[name]["bytes"],
                "billed_records": bill.records,
                "billed_bytes": bill.size_bytes,
                "amount": str(bill.amount),
                "currency": bill.currency,
                "cutover": {str(p): o for p, o in streamed.cutover.offsets.items()}
                if name == TRIAL.subscription
                else None,
            }
        )
    return {
        "source_records": product.source_records,
        "valid_records": product.valid_records,
        "quarantined": sum(product.refused.values()),
        "quarantine_reasons": dict(product.refused),
        "verified": verified.agrees,
        "router_kills": streamed.router_kills,
        "subscriptions": rows,
    }


def _agrees(report: dict[str, Any]) -> bool:
    whole = report["source_records"] == report["valid_records"] + report["quarantined"]
    refused = report["quarantined"] == GATEWAY_RECORDS
    if not (report["verified"] and whole and refused and report["router_kills"]):
        return False
    # The trial's: the others run on, and have none.
    cutovers = [row["cutover"] for row in report["subscriptions"] if row["cutover"]]
    if not cutovers or any(None in offsets.values() for offsets in cutovers):
        return False
    return all(
        row["entitled"] == row["delivered"] == row["received"] == row["billed_records"]
        and row["received_bytes"] == row["billed_bytes"]
        for row in report["subscriptions"]
    )


def _table(report: dict[str, Any], screen: Screen) -> None:
    columns = ("entitled", "delivered", "received", "billed_records", "billed_bytes")
    table = Table("subscription", *(c.replace("_", " ") for c in columns), "amount")
    for row in report["subscriptions"]:
        amount = f"{row['amount']} {row['currency']}"
        table.add_row(row["id"], *(f"{row[c]:,}" for c in columns), amount)
    screen.console.print()
    screen.console.print(table)
    screen.fact(
        f"{report['source_records']:,} source records = {report['valid_records']:,} valid + "
        f"{report['quarantined']:,} quarantined: "
        + ", ".join(f"{n} {reason}" for reason, n in sorted(report["quarantine_reasons"].items()))
    )
