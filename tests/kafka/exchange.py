"""A whole exchange for tests: `weir up` once a session, and markets opened on it.

Every test makes companies of its own, so tests do not meet in one exchange.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from sqlalchemy import func, select

from broker.avro.codec import decode_segment
from broker.client import Client
from broker.client.values import Account, Product, Subscription
from broker.config import Connections, connections
from broker.domain.names import group_prefix
from broker.domain.segment import Segment
from broker.local.demo.waiting import until
from broker.local.status import status
from broker.store.base import engine
from broker.store.ledger import AppliedSegment, Chain, Usage

UP_S = 240.0
WAIT_S = 90.0
SCHEMA = '{"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}]}'
PRICE = {"currency": "EUR", "model": "unit", "metric": "records", "unit_amount": "0.001"}
MONTH = {"calendar": "month", "time_zone": "UTC"}


@dataclass(frozen=True, kw_only=True)
class Buyer:
    """One buyer of a market's product."""

    organisation: str
    token: str = field(repr=False)
    account: Account = field(repr=False)
    subscription: Subscription


class Exchange:
    """What runs in a home, seen from outside."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.connections: Connections = connections(home, {})
        self.api_url = self.connections.api_url or ""
        self.database = engine(self.connections.database_url)

    def admin(self) -> dict[str, Any]:
        """Client settings of Kafka's administrator."""
        return dict(self.connections.kafka.client())

    def operator(self) -> Client:
        """The API as the operator sees it."""
        return Client(self.api_url, self.connections.operator_token or "")

    def alarms(self) -> list[str]:
        """Alarms that stand, of all processes: `kind: subject`."""
        return list(status(self.home).alarms)

    def weir(
        self, *arguments: str, cwd: Path | None = None, code: int = 0
    ) -> "subprocess.CompletedProcess[str]":
        """Call a verb as a user of this home does."""
        environ = os.environ | {"WEIR_HOME": str(self.home)}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "broker", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=UP_S,
            cwd=cwd,
            env=environ,
        )
        assert done.returncode == code, f"weir {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done

    def segments(self, product: str) -> list[Segment]:
        """What the ledger has applied of a product, in the order of its chains."""
        row = AppliedSegment
        query = (
            select(row.canonical)
            .where(row.product == product)
            .order_by(row.partition, row.first_offset, row.number)
        )
        with self.database.connect() as connection:
            return [decode_segment(canonical) for canonical in connection.scalars(query)]

    def billed(self, subscription: str) -> int:
        """Records of a subscription that the ledger has counted."""
        query = select(func.coalesce(func.sum(Usage.records), 0)).where(
            Usage.subscription == subscription
        )
        with self.database.connect() as connection:
            return int(connection.scalar(query) or 0)

    def covered(self, product: str, ends: Mapping[int, int]) -> bool:
        """Whether the ledger's chains reach these source offsets, by partition."""
        query = select(Chain.partition, Chain.next_offset).where(Chain.product == product)
        with self.database.connect() as connection:
            found = {row.partition: row.next_offset for row in connection.execute(query)}
        return all(found.get(partition, 0) >= end for partition, end in ends.items())


def bring_up(home: Path, *, routers: int) -> Exchange:
    """`weir up` in a fresh home."""
    arguments = ["up", "--home", str(home), "--quick-start", "--routers", str(routers), "--json"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "broker", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=UP_S,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["well"], done.stdout
    return Exchange(home)


class Market:
    """A seller with one published product and some buyers, all made for one test.

    Args:
        exchange: it stands on.
        unique: makes slugs that no other test uses.
        buyers: how many.
        settings: of the product, e.g. partitions, validation.
    """

    def __init__(
        self,
        exchange: Exchange,
        unique: Callable[[str], str],
        *,
        buyers: int = 1,
        **settings: str | int,
    ) -> None:
        self.exchange = exchange
        self.seller = unique("seller")
        self.product_id = f"{self.seller}/flow"
        with exchange.operator() as operator:
            self.token = _let_in(operator, self.seller)
            self.account = operator.accounts.create(self.seller, name="app", role="both")
            names = [unique("buyer") for _ in range(buyers)]
            tokens = {name: _let_in(operator, name) for name in names}
            accounts = {
                name: operator.accounts.create(name, name="app", role="consumer") for name in names
            }
        with self.selling() as selling:
            self.product = self._publish(selling, settings)
            for name in names:
                with Client(exchange.api_url, tokens[name]) as buying:
                    buying.subscriptions.request(
                        f"{name}/all", product=self.product_id, plan=f"{self.seller}/metered"
                    )
            self.buyers = [
                Buyer(
                    organisation=name,
                    token=tokens[name],
                    account=accounts[name],
                    subscription=_active(selling, f"{name}/all"),
                )
                for name in names
            ]

    def selling(self) -> Client:
        """The API as the seller sees it."""
        return Client(self.exchange.api_url, self.token)

    def registry(self) -> SchemaRegistryClient:
        """Confluent's client, with the seller's token."""
        return SchemaRegistryClient(
            {
                "url": f"{self.exchange.api_url}/registry",
                "basic.auth.user.info": f"{self.seller}:{self.token}",
            }
        )

    def register(self, text: str = SCHEMA) -> bytes:
        """Register a schema of the product's subject; the header of records that follow it."""
        schema_id = self.registry().register_schema(self.product.subject, Schema(text, "AVRO"))
        return b"\0" + schema_id.to_bytes(4, "big")

    def producer(self, **settings: Any) -> Producer:
        """A stock producer with the seller's credentials."""
        return Producer(self.kafka(self.account) | settings)

    def kafka(self, account: Account) -> dict[str, Any]:
        """Settings of one Kafka user."""
        return {
            "bootstrap.servers": self.exchange.connections.kafka.bootstrap,
            "security.protocol": self.exchange.connections.kafka.security_protocol,
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": account.principal,
            "sasl.password": account.password or "",
        }

    def wait_covered(self) -> None:
        """Wait until the ledger has counted what stands in the source now."""
        ends = self._ends()
        until(
            lambda: self.exchange.covered(self.product_id, ends),
            what=f"the ledger at {ends} of {self.product_id}",
            timeout_s=WAIT_S,
        )

    def read(self, buyer: Buyer) -> list[Message]:
        """All that stands in a buyer's delivery topic now, as the buyer's own client reads it."""
        settings = self.kafka(buyer.account) | {
            "group.id": f"{group_prefix(buyer.organisation)}reader",
            "isolation.level": "read_committed",
        }
        return read_all(settings, buyer.subscription.delivery_topic, self.product.partitions)

    def quarantined(self) -> list[Message]:
        """All that stands in the quarantine topic, as the seller's own client reads it."""
        settings = self.kafka(self.account) | {
            "group.id": f"{group_prefix(self.seller)}reader",
            "isolation.level": "read_committed",
        }
        return read_all(settings, self.product.quarantine_topic, self.product.partitions)

    def _publish(self, selling: Client, settings: Mapping[str, str | int]) -> Product:
        plan = f"{self.seller}/metered"
        selling.products.create(self.product_id, title="Flow", **settings)
        selling.products.publish(self.product_id)
        product = until(
            lambda: p if (p := selling.products.get(self.product_id)).topic_id else None,
            what=f"publication of {self.product_id}",
            timeout_s=WAIT_S,
        )
        selling.plans.create(plan, product=self.product_id, title="Metered")
        draft = selling.plans.draft(plan, price=PRICE, period=MONTH, approval="automatic")
        selling.plans.publish(plan, draft.number)
        return product

    def _ends(self) -> dict[int, int]:
        """Source offsets behind the last record, by partition."""
        settings = self.exchange.admin() | {"group.id": "weir-tests-ends"}
        consumer = Consumer(settings)
        try:
            return {
                number: consumer.get_watermark_offsets(
                    TopicPartition(self.product.topic, number), timeout=30
                )[1]
                for number in range(self.product.partitions)
            }
        finally:
            consumer.close()


def read_all(settings: Mapping[str, Any], topic: str, partitions: int) -> list[Message]:
    """Every record of a topic up to its present end, partition by partition in offset order."""
    consumer = Consumer(
        {
            **settings,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    records: list[Message] = []
    ended: set[int] = set()

    def at_end() -> bool:
        for message in consumer.consume(10_000, 0.5):
            error = message.error()
            if error is None:
                records.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
        return len(ended) == partitions

    try:
        until(at_end, what=f"the end of {topic}", timeout_s=WAIT_S)
    finally:
        consumer.close()
    return sorted(records, key=lambda each: (each.partition(), each.offset()))


def reasons(copies: list[Message]) -> Counter[str]:
    """How many quarantined records have each `weir-reason`."""
    return Counter(dict(each.headers())["weir-reason"].decode() for each in copies)


def _let_in(operator: Client, slug: str) -> str:
    operator.organisations.create(slug, name=slug)
    return operator.tokens.create(slug, name="test").token or ""


def _active(selling: Client, subscription: str) -> Subscription:
    return until(
        lambda: s if (s := selling.subscriptions.get(subscription)).state == "active" else None,
        what=f"activation of {subscription}",
        timeout_s=WAIT_S,
    )
