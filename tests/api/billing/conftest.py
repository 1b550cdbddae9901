"""An exchange with its tables filled by hand: what control plane and ledger would have written."""

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from broker.billing.case import rate_case
from broker.billing.close import request_close
from broker.billing.invoice import Invoice
from broker.billing.recount import recount
from broker.billing.settle import settle
from broker.control import outbox
from broker.domain.actor import OPERATOR
from broker.domain.events import SubscriptionRevoked
from broker.domain.segment import quarter_of
from broker.local.postgres import EmbeddedPostgres
from broker.store.base import engine
from broker.store.billing import InvoiceRow
from broker.store.control import (
    OrganisationRow,
    PlanRow,
    PlanVersionRow,
    ProductRow,
    SubscriptionHistoryRow,
    SubscriptionRow,
)
from broker.store.ledger import AppliedSegment, Chain, Usage
from broker.store.migrate import migrate

PRODUCT = "windco/wind"
TOPIC_ID = "11111111-2222-3333-4444-555555555555"
RECOUNTED_MAX = 200  # of one world
MONTHS = {"calendar": "month", "time_zone": "Europe/Berlin"}


def ms(at: str) -> int:
    return outbox.to_ms(datetime.fromisoformat(at))


def _is_recounted(session: Session, invoice_id: str) -> bool:
    row = session.get_one(InvoiceRow, invoice_id)
    document = recount(session, invoice_id, visible_to=OPERATOR).document
    rated = rate_case(json.dumps(document).encode())
    amounts = {line["description"]: Decimal(line["amount"]) for line in rated["lines"]}
    net = Decimal(rated["total"]) - amounts.get("tax", Decimal(0))
    return (net, Decimal(rated["total"])) == tuple(
        Decimal(f"{minor}e-{row.minor_digits}") for minor in (row.net_minor, row.total_minor)
    )


class Exchange:
    """Two partitions of one product; `deliver` is router and ledger in one."""

    def __init__(self, database_url: str) -> None:
        self.engine = engine(database_url)
        self.sessions = sessionmaker(self.engine, expire_on_commit=False)
        self.epoch = datetime(2026, 1, 1, tzinfo=UTC)
        with self.sessions.begin() as session:
            for name in ("windco", "grid", "stranger"):
                session.add(OrganisationRow(id=name, name=name, **self._made(), revision=1))
            session.flush()
            session.add(
                ProductRow(
                    id=PRODUCT,
                    organisation="windco",
                    title="",
                    description="",
                    classification="internal",
                    topic="product.windco.wind",
                    quarantine_topic="quarantine.windco.wind",
                    subject="wind-value",
                    partitions=2,
                    retention_ms=10**10,
                    quarantine_max_bytes=10**6,
                    record_max_bytes=10**6,
                    validation="header",
                    state="published",
                    event_time_field=None,
                    topic_id=TOPIC_ID,
                    published_at=self.epoch,
                    retired_at=None,
                    ended_at=None,
                    **self._made(),
                    revision=1,
                )
            )
            session.flush()
            session.add(
                PlanRow(
                    id="windco/basic",
                    organisation="windco",
                    product=PRODUCT,
                    title="",
                    **self._made(),
                    revision=1,
                )
            )

    def _made(self) -> dict[str, Any]:
        return {"created_at": self.epoch, "created_by": "test"}

    def plan(self, price: dict[str, Any], period: dict[str, Any] | None = None) -> int:
        """A published version of the plan; its number."""
        with self.sessions.begin() as session:
            number = 1 + session.scalars(select(func.count()).select_from(PlanVersionRow)).one()
            session.add(
                PlanVersionRow(
                    plan="windco/basic",
                    number=number,
                    state="published",
                    price=price,
                    period=period or MONTHS,
                    terms="",
                    delivery_retention_ms=10**9,
                    approval="automatic",
                    published_at=self.epoch,
                    **self._made(),
                    revision=1,
                )
            )
            return number

    def subscribe(self, name: str, version: int, at: str, *, length_s: int | None = None) -> str:
        """An active subscription of `grid`."""
        now = datetime.fromisoformat(at)
        subscription = f"grid/{name}"
        with self.sessions.begin() as session:
            session.add(
                SubscriptionRow(
                    id=subscription,
                    organisation="grid",
                    product=PRODUCT,
                    plan="windco/basic",
                    plan_version=version,
                    state="active",
                    delivery_topic=f"delivery.grid.{name}",
                    requested_at=now,
                    requested_by="test",
                    activated_at=now,
                    period_anchor_ms=None if length_s is None else outbox.to_ms(now),
                    period_length_ms=None if length_s is None else length_s * 1000,
                    revision=1,
                )
            )
            session.flush()
            self._history(session, subscription, "activate", "active", version, now, None)
        return subscription

    def change(self, subscription: str, act: str, at: str, *, version: int | None = None) -> None:
        """Suspend, resume, revoke or replan."""
        now = datetime.fromisoformat(at)
        states = {"suspend": "suspended", "resume": "active", "revoke": "revoked"}
        with self.sessions.begin() as session:
            row = session.get_one(SubscriptionRow, subscription)
            row.state = states.get(act, row.state)
            row.plan_version = version or row.plan_version
            event = SubscriptionRevoked(subscription, PRODUCT)
            seq = outbox.append(session, event, now=now)
            session.flush()
            self._history(session, subscription, act, row.state, row.plan_version, now, seq)

    def _history(self, session: Session, subscription: str, *step: Any) -> None:
        act, state, version, now, seq = step
        rows = select(func.count()).where(SubscriptionHistoryRow.subscription == subscription)
        session.add(
            SubscriptionHistoryRow(
                subscription=subscription,
                number=1 + session.scalars(rows.select_from(SubscriptionHistoryRow)).one(),
                transition=act,
                state=state,
                plan="windco/basic",
                plan_version=version,
                at=now,
                by="test",
                reason="",
                seq=seq,
            )
        )

    def deliver(
        self,
        at: str,
        records: int = 0,
        *,
        to: str | None = None,
        partition: int = 0,
        size_bytes: int = 100,
        seq: int | None = None,
    ) -> None:
        """One segment whose billing time is `at`: `records` for one subscription, or none."""
        at_ms = ms(at)
        with self.sessions.begin() as session:
            chain = session.get(Chain, (TOPIC_ID, partition, "live"))
            number = 1 if chain is None else chain.number + 1
            first = 0 if chain is None else chain.next_offset
            seq = outbox.last_seq(session) if seq is None else seq
            place = {"topic_id": TOPIC_ID, "partition": partition, "flow": "live", "number": number}
            span = {"first_offset": first, "next_offset": first + records, "seq": seq}
            times = {"quarter_ms": quarter_of(at_ms), "billing_first_ms": at_ms}
            blank = {"digest": bytes(32), "canonical": b"", "watermark_ms": at_ms}
            session.add(AppliedSegment(**place, **span, **times, **blank, product=PRODUCT))
            session.flush()
            if to is not None:
                counts = {"records": records, "billed_bytes": records * size_bytes}
                session.add(Usage(subscription=to, **place, **span, **times, **counts))
            if chain is None:
                chain = Chain(**place, product=PRODUCT, digest=bytes(32), hole=None)
                session.add(chain)
            chain.number, chain.next_offset = number, first + records
            chain.seq, chain.watermark_ms = seq, max(chain.watermark_ms or 0, at_ms)

    def prove(self, end: str) -> None:
        """Both partitions account for the close with an empty segment at its end."""
        for partition in (0, 1):
            self.deliver(end, partition=partition)

    def request(self, end: str, *, finalise: bool = True) -> None:
        """Ask for a close, an hour after its end."""
        now = datetime.fromisoformat(end) + timedelta(hours=1)
        with self.sessions.begin() as session:
            request_close(session, PRODUCT, ms(end), by="test", finalise=finalise, now=now)

    def close(self, end: str, *, finalise: bool = True) -> list[Invoice]:
        """Ask for a close, prove it, bill it."""
        self.request(end, finalise=finalise)
        self.prove(end)
        return self.settle(end)

    def unequal(self) -> list[str]:
        """Invoices that `weir rate` makes something else of, from the documents that are given."""
        with self.sessions() as session:
            ids = session.scalars(select(InvoiceRow.id).order_by(InvoiceRow.created_at)).all()
            return [one for one in ids[:RECOUNTED_MAX] if not _is_recounted(session, one)]

    def settle(self, end: str) -> list[Invoice]:
        """Bill a close."""
        now = datetime.fromisoformat(end) + timedelta(hours=1)
        with self.sessions.begin() as session:
            return settle(session, PRODUCT, ms(end), now=now)


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database with every table, which the tests' own are copied from."""
    name = f"template_{secrets.token_hex(6)}"
    admin = postgres.database_url.replace("+psycopg", "")
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate(f"{postgres.database_url.removesuffix('/weir')}/{name}")
    yield name
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def exchange(postgres: EmbeddedPostgres, template: str) -> Iterator[Exchange]:
    """A database of its own with a seller `windco`, its product and plan, and a buyer `grid`."""
    name = f"test_{secrets.token_hex(6)}"
    admin = postgres.database_url.replace("+psycopg", "")
    copied = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**copied))
    made = Exchange(f"{postgres.database_url.removesuffix('/weir')}/{name}")
    yield made
    unequal = made.unequal()
    made.engine.dispose()
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    assert unequal == [], "invoices whose document rates to something else"
