"""Recount: everything again, from Kafka and PostgreSQL, with rules of its own.

    weir.control ▶ rules ─┐
    weir.usage ▶ chains ──┴▶ partition by partition: source, delivery, quarantine, ledger
                                        └▶ spending ▶ invoices, journal ─▶ Report

Shares no routing, metering or rating code with what it recounts (`.importlinter` holds it to that).
Reads only, and forward: memory is bounded whatever the topics hold.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from broker.config import Connections
from broker.errors import NotFoundError, UnavailableError
from broker.log.kafka import KafkaLog
from broker.log.ports import Consumer, Log
from broker.store.base import engine
from broker.verify.beyond import check_beyond
from broker.verify.control import History
from broker.verify.events import CONTROL_TOPIC, ControlLog
from broker.verify.findings import Findings
from broker.verify.invoices import Money
from broker.verify.outlet import Outlet
from broker.verify.partition import LIVE, Chain
from broker.verify.place import Place
from broker.verify.readers import Readers
from broker.verify.removed import removals_of
from broker.verify.report import Difference, ProductCount, Report
from broker.verify.rules import Settings
from broker.verify.segments import USAGE_TOPIC, Directory, directory, usage_key, usage_partition
from broker.verify.share import Shares
from broker.verify.spending import Spending
from broker.verify.stored import Patience, StoredChain, stored_chains, stray_usage
from broker.verify.summary import subscriptions
from broker.verify.walk import Walk

ROUTER_GROUP = "weir-router"
_TIMEOUT_S = 20.0
# The first question alone: a stopped exchange should be told of at once.
_GREETING_S = 3.5
_LEDGER_WAIT_S = 15.0


def recount(
    config: Connections,
    *,
    product: str | None = None,
    progress: Callable[[str], None] = lambda _said: None,
) -> Report:
    """Recount an exchange, or one product of it.

    Args:
        config: where Kafka and PostgreSQL are.
        product: `organisation/product`, or all of them.
        progress: is told what is being read.

    Raises:
        NotFoundError: no such product.
        LogError, UnavailableError: Kafka or PostgreSQL does not answer.
    """
    database = engine(config.database_url)
    try:
        log = KafkaLog(config.kafka)
        return recount_log(log, database, product=product, progress=progress)
    except OperationalError as error:
        raise UnavailableError("PostgreSQL does not answer") from error
    finally:
        database.dispose()


def recount_log(
    log: Log,
    database: Engine,
    *,
    product: str | None = None,
    now_ms: int | None = None,
    timeout_s: float = _TIMEOUT_S,
    ledger_wait_s: float = _LEDGER_WAIT_S,
    progress: Callable[[str], None] = lambda _said: None,
) -> Report:
    """Recount over an open log and database.

    Args:
        log: Kafka, or memory.
        database: PostgreSQL.
        product: `organisation/product`, or all of them.
        now_ms: tells which billing periods are over; default this machine's clock.
        timeout_s: bounds each call to the log.
        ledger_wait_s: how long to wait, in all, for a ledger that has not caught up.
        progress: is told what is being read.
    """
    readers = Readers(log, timeout_s=timeout_s)
    group = log.consumer(ROUTER_GROUP, instance="weir-verify")
    try:
        readers.greet(CONTROL_TOPIC, timeout_s=min(timeout_s, _GREETING_S))
        work = _Recount(
            readers,
            group,
            database,
            now_ms=time.time_ns() // 1_000_000 if now_ms is None else now_ms,
            timeout_s=timeout_s,
            progress=progress,
        )
        return work.report(product, Patience(ledger_wait_s))
    finally:
        group.close(timeout_s=timeout_s)
        readers.close()


class _Recount:
    def __init__(
        self,
        readers: Readers,
        group: Consumer,
        database: Engine,
        *,
        now_ms: int,
        timeout_s: float,
        progress: Callable[[str], None],
    ) -> None:
        self._readers = readers
        self._group = group
        self._database = database
        self._now_ms = now_ms
        self._timeout_s = timeout_s
        self._progress = progress
        self._findings = Findings()
        self._spending = Spending()
        self._walks: list[Walk] = []

    def report(self, product: str | None, patience: Patience) -> Report:
        """All of it."""
        self._progress("reading weir.control")
        findings = self._findings
        control = self._readers.cursor(CONTROL_TOPIC, 0, beside=1)
        log = ControlLog(control, findings)
        log.advance()
        folded = log.history
        products = folded.products()
        if product is not None:
            if product not in products:
                raise NotFoundError("product", product)
            products = {product: products[product]}
        money = Money(
            self._database,
            folded,
            self._spending,
            findings,
            tuple(products),
            whole=product is None,
            now_ms=self._now_ms,
        )
        money.prepare()
        log.advance()  # to the closes of those invoices
        self._progress("reading weir.usage")
        places = directory(self._readers)
        ids = self._readers.topic_ids([settings.topic for settings in products.values()])
        for settings in products.values():
            findings.refused[settings.product] = Counter()
            exists = ids.get(settings.topic) == settings.topic_id
            for partition in range(settings.partitions):
                of = f"partition {partition + 1} of {settings.partitions}"
                self._progress(f"recounting {settings.product}, {of}")
                key = (settings.topic_id, partition, LIVE)
                stored = StoredChain(self._database, key, patience=patience)
                self._partition(log, settings, stored, places, exists=exists)
            members = log.history.members(settings.product)
            check_beyond(self._readers, settings, members, findings, exists=exists)
        log.compare(self._database)
        self._strangers(folded, products, places, whole=product is None)
        self._progress("recounting invoices")
        amounts = money.recount(self._walks)
        return Report(
            products=tuple(
                ProductCount(
                    product=name,
                    source_records=findings.source_records[name],
                    valid_records=findings.valid_records[name],
                    refused=dict(sorted(findings.refused[name].items())),
                )
                for name in products
            ),
            subscriptions=subscriptions(folded, products, findings, self._walks, amounts),
            segments=findings.segments,
            invoices=sum(map(len, amounts.values())),
            differences=tuple(findings.differences),
            differences_total=findings.differences_total,
            undeliverable=tuple(findings.undeliverable),
            chain_only=tuple(findings.chain_only),
            gaps=tuple(findings.gaps),
            unbilled=tuple(findings.unbilled),
        )

    def _partition(
        self,
        control: ControlLog,
        settings: Settings,
        stored: StoredChain,
        places: Directory,
        *,
        exists: bool,
    ) -> None:
        """Walk one source partition. The usage cursor is opened first: see `Outlet.left`."""
        readers, partition = self._readers, stored.partition
        readers.restart()
        place = Place(settings.product, partition, self._findings)
        folded = control.history
        members = folded.members(settings.product)
        beside = len(members) + 3
        at = usage_partition(settings.topic_id, partition, max(places.count, 1))
        key = usage_key(settings.topic_id, partition)
        for found in places.places.get(key, []):
            if found.partition != at:
                what = f"segments stand in {USAGE_TOPIC} partition {found.partition}, not in {at}"
                place.at("chain", what, found.first_offset, found.first_offset + 1)
        usage = readers.cursor(USAGE_TOPIC, at, beside=beside)
        source = readers.cursor(settings.topic, partition, beside=beside) if exists else None
        deliveries = {
            member.id: self._outlet(member.delivery_topic, partition, beside, "delivery")
            for member in members
        }
        for member in members:
            if exists and deliveries[member.id].gone and folded.stopped_seq(member.id) is None:
                what = f"{member.delivery_topic} does not exist although it is active"
                place.at("delivery", what, 0, 0, member.id)
        walk = Walk(
            place=place,
            control=control,
            source=source,
            shares=Shares(
                place,
                deliveries,
                lambda name: self._outlet(
                    folded.subscriptions[name].delivery_topic, partition, beside, "delivery"
                ),
                self._spending,
            ),
            quarantine=self._outlet(settings.quarantine_topic, partition, beside, "quarantine"),
            stored=stored,
        )
        Chain(
            walk=walk,
            topic=settings.topic,
            key=key,
            usage=usage,
            trimmed=at in places.trimmed,
            group=self._group,
            open_end=lambda: readers.high_watermark(USAGE_TOPIC, at),
            timeout_s=self._timeout_s,
        ).recount()
        self._walks.append(walk)

    def _outlet(self, topic: str, partition: int, beside: int, kind: str) -> Outlet:
        removals = removals_of(self._database, topic, kind, self._readers.topic_ids)
        return Outlet(topic, self._readers.cursor(topic, partition, beside=beside), removals)

    def _strangers(
        self,
        folded: History,
        products: Mapping[str, Settings],
        places: Directory,
        *,
        whole: bool,
    ) -> None:
        """Chains in `weir.usage` or PostgreSQL of no product; usage of no chain."""
        known = {
            (settings.topic_id, partition, LIVE)
            for settings in folded.products().values()
            for partition in range(settings.partitions)
        }
        for topic_id, partition, flow, product in stored_chains(self._database):
            if (topic_id, partition, flow) in known or not (whole or product in products):
                continue
            what = f"PostgreSQL has a chain {topic_id}/{partition}/{flow} of no product"
            self._findings.differ(Difference(store="ledger", what=what, product=product))
        members = {one.id for name in products for one in folded.members(name)}
        for row in stray_usage(self._database):
            if not (whole or row.subscription in members):
                continue
            self._findings.differ(
                Difference(
                    store="ledger",
                    what=f"usage bills {row.records} records under number {row.number}, of which "
                    "there is no segment",
                    subscription=row.subscription,
                    partition=row.partition,
                    first_offset=row.first_offset,
                    next_offset=row.next_offset,
                )
            )
        keys = {usage_key(topic_id, partition) for topic_id, partition, _ in known}
        for key, found in places.places.items() if whole else ():
            if key in keys:
                continue
            self._findings.differ(
                Difference(
                    store="chain",
                    what=f"segments under key {key.decode(errors='replace')!r} are of no product",
                    partition=found[0].partition,
                    first_offset=found[0].first_offset,
                    next_offset=found[0].first_offset + 1,
                    topic=USAGE_TOPIC,
                )
            )
