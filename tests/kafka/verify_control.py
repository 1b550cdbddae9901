"""The control plane of the recount's exchange: rows by hand, each with its event in the outbox."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, sessionmaker

from broker.clock import Clock
from broker.control import outbox
from broker.domain import events as ev
from broker.store.control import (
    ControlEventRow,
    OrganisationRow,
    PlanRow,
    PlanVersionRow,
    ProductRow,
    SubscriptionHistoryRow,
    SubscriptionRow,
)

PRODUCT = "acme/wind"
PLAN = "acme/basic"
TOPIC = "product.acme.wind"
QUARANTINE = "quarantine.acme.wind"
SUBJECT = "product.acme.wind-value"
SCHEMA = '{"type": "record", "name": "R", "fields": [{"name": "v", "type": "long"}]}'
BUYERS = ("grid", "care", "trial")
_STATES = {
    ev.SubscriptionSuspended: "suspended",
    ev.SubscriptionResumed: "active",
    ev.SubscriptionRevoked: "revoked",
}


class ControlPlane:
    """Organisations, one product and its plan; subscriptions as a test asks for them.

    Args:
        database: migrated, empty.
        clock: what decisions are dated by.
        create: makes a topic: name, partitions, append time; gives its id.
        send: writes values to a topic's partition.
        partitions: of the product.
    """

    def __init__(
        self,
        database: Engine,
        clock: Clock,
        create: Callable[[str, int, bool], str],
        send: Callable[[str, int, Sequence[bytes]], None],
        *,
        partitions: int,
    ) -> None:
        self.clock = clock
        self.partitions = partitions
        self.sessions = sessionmaker(database, expire_on_commit=False)
        self._create = create
        self._send = send
        self.topic_id = create(TOPIC, partitions, True)
        create(QUARANTINE, partitions, False)
        self._rows()

    def plan(self, price: Mapping[str, Any], period: Mapping[str, Any] | None = None) -> int:
        """A published version of the plan; its number."""
        with self.sessions.begin() as session:
            number = 1 + session.scalars(select(func.count()).select_from(PlanVersionRow)).one()
            session.add(
                PlanVersionRow(
                    plan=PLAN,
                    number=number,
                    state="published",
                    price=dict(price),
                    period=dict(period or {"calendar": "month", "time_zone": "Europe/Berlin"}),
                    terms="",
                    delivery_retention_ms=10**9,
                    approval="automatic",
                    published_at=self.clock.now(),
                    **self._made(),
                )
            )
        return number

    def subscribe(self, buyer: str, version: int, *, length_s: int | None = None) -> str:
        """An active subscription, with its delivery topic."""
        now = self.clock.now()
        name = f"{buyer}/wind"
        topic = f"delivery.{buyer}.wind"
        self._create(topic, self.partitions, False)
        anchor_ms = None if length_s is None else outbox.to_ms(now)
        length_ms = None if length_s is None else length_s * 1000
        event = ev.SubscriptionActivated(name, PRODUCT, topic, PLAN, version, anchor_ms, length_ms)
        with self.sessions.begin() as session:
            session.add(
                SubscriptionRow(
                    id=name,
                    organisation=buyer,
                    product=PRODUCT,
                    plan=PLAN,
                    plan_version=version,
                    state="active",
                    delivery_topic=topic,
                    requested_at=now,
                    requested_by="test",
                    activated_at=now,
                    period_anchor_ms=anchor_ms,
                    period_length_ms=length_ms,
                    revision=1,
                )
            )
            session.flush()
            self._history(session, name, event, "active", version)
        self.relay()
        return name

    def change(self, subscription: str, event: ev.Event) -> None:
        """Suspend, resume, revoke or replan a subscription."""
        with self.sessions.begin() as session:
            row = session.get_one(SubscriptionRow, subscription)
            row.state = _STATES.get(type(event), row.state)  # type: ignore[arg-type]
            row.plan_version = getattr(event, "plan_version", row.plan_version)
            self._history(session, subscription, event, row.state, row.plan_version)
        self.relay()

    def publish(self, event: ev.Event) -> None:
        """A control event of no subscription."""
        with self.sessions.begin() as session:
            outbox.append(session, event, now=self.clock.now())
        self.relay()

    def relay(self) -> None:
        """Outbox to weir.control."""
        with self.sessions.begin() as session:
            waiting = select(ControlEventRow).where(ControlEventRow.published_at.is_(None))
            for row in session.scalars(waiting.order_by(ControlEventRow.seq)):
                self._send("weir.control", 0, [row.canonical])
                row.published_at = self.clock.now()

    def _rows(self) -> None:
        now = self.clock.now()
        with self.sessions.begin() as session:
            for name in ("acme", *BUYERS):
                session.add(OrganisationRow(id=name, name=name, **self._made()))
            session.flush()
            session.add(
                ProductRow(
                    id=PRODUCT,
                    organisation="acme",
                    title="",
                    description="",
                    classification="internal",
                    topic=TOPIC,
                    quarantine_topic=QUARANTINE,
                    subject=SUBJECT,
                    partitions=self.partitions,
                    retention_ms=10**10,
                    quarantine_max_bytes=10**6,
                    record_max_bytes=1000,
                    validation="header",
                    state="published",
                    event_time_field=None,
                    topic_id=self.topic_id,
                    published_at=now,
                    retired_at=None,
                    ended_at=None,
                    **self._made(),
                )
            )
            session.flush()
            session.add(
                PlanRow(id=PLAN, organisation="acme", product=PRODUCT, title="", **self._made())
            )
            published = ev.ProductPublished(
                PRODUCT, TOPIC, self.topic_id, self.partitions, QUARANTINE, SUBJECT, "header", 1000
            )
            outbox.append(session, published, now=now)
            outbox.append(session, ev.SchemaRegistered(SUBJECT, 1, 1, SCHEMA), now=now)
        self.relay()

    def _made(self) -> dict[str, Any]:
        return {"created_at": self.clock.now(), "created_by": "test", "revision": 1}

    def _history(
        self, session: Session, subscription: str, event: ev.Event, state: str, version: int
    ) -> None:
        now = self.clock.now()
        seq = outbox.append(session, event, now=now)
        session.flush()
        steps = select(func.count()).select_from(SubscriptionHistoryRow)
        steps = steps.where(SubscriptionHistoryRow.subscription == subscription)
        session.add(
            SubscriptionHistoryRow(
                subscription=subscription,
                number=1 + session.scalars(steps).one(),
                transition=type(event).__name__,
                state=state,
                plan=PLAN,
                plan_version=version,
                at=now,
                by="test",
                reason="",
                seq=seq,
            )
        )
