"""A registry over a real database, served by uvicorn; the real relay, over the memory log."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest
import uvicorn
from confluent_kafka.schema_registry import SchemaRegistryClient
from sqlalchemy.orm import Session, sessionmaker

from broker.control import organisations, plans, products, subscriptions, tokens
from broker.control.relay import Relay
from broker.domain.actor import OPERATOR, SYSTEM, Actor
from broker.domain.names import CONTROL_TOPIC
from broker.errors import UnauthenticatedError
from broker.log.memory import MemoryLog
from broker.registry.app import registry_app
from broker.registry.services import RegistryServices
from broker.store.base import engine
from broker.store.migrate import migrate

OPERATOR_TOKEN = "operator-token"
PRICE = {
    "currency": "EUR",
    "components": [{"metric": "records", "model": "unit", "unit_amount": "0.01"}],
}


def now() -> datetime:
    """The present."""
    return datetime.now(UTC)


@dataclass
class World:
    """A running registry with its seller `acme`, the product `acme/wind` and the buyer `grid`."""

    url: str
    sessions: sessionmaker[Session]
    log: MemoryLog
    tokens: dict[str, str]

    def http(self, organisation: str) -> httpx.Client:
        """Asks as an organisation, with a bearer token."""
        headers = {"Authorization": f"Bearer {self.tokens[organisation]}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def client(self, organisation: str) -> SchemaRegistryClient:
        """Confluent's client, as an organisation, with basic authentication."""
        user = f"{organisation}:{self.tokens[organisation]}"
        return SchemaRegistryClient(
            {"url": self.url, "basic.auth.user.info": user, "max.retries": 0}
        )

    def join(self, organisation: str) -> None:
        """One more organisation, with a token."""
        with self.sessions.begin() as session:
            organisations.create(session, organisation, name=organisation, by=OPERATOR, now=now())
            _, secret = tokens.create(
                session, organisation, name="t", expires_at=None, by=OPERATOR, now=now()
            )
        self.tokens[organisation] = secret

    def sell(self, product_id: str) -> None:
        """A published product with a plan."""
        by = Actor("test", product_id.split("/", maxsplit=1)[0])
        settings = products.Settings(
            title="Wind",
            description="",
            classification="internal",
            partitions=1,
            retention_ms=8_000_000_000,
            quarantine_max_bytes=1_000_000,
            record_max_bytes=1_000_000,
            validation="header",
            event_time_field=None,
        )
        terms = plans.terms_of(
            price=PRICE,
            period={"calendar": "month", "time_zone": "UTC"},
            delivery_retention_ms=8_000_000,
            approval="automatic",
            text="",
        )
        with self.sessions.begin() as session:
            products.create(session, product_id, settings, by=by, now=now())
            products.publish(session, product_id, by=by, if_revision=None)
            products.confirm_published(session, product_id, topic_id=product_id, now=now())
            plans.create(session, product_id, product_id=product_id, title="", by=by, now=now())
            plans.draft_version(session, product_id, terms, by=by, now=now())
            plans.publish_version(
                session,
                product_id,
                1,
                by=by,
                now=now(),
                if_revision=None,
                dispute_window_ms=0,
            )

    def subscribe(self, subscription_id: str, product_id: str = "acme/wind") -> None:
        """A subscription that routers deliver to."""
        buyer = Actor("test", subscription_id.split("/", maxsplit=1)[0])
        with self.sessions.begin() as session:
            subscriptions.request(
                session,
                subscription_id,
                product_id=product_id,
                plan_id=product_id,
                plan_version=None,
                expires_at=None,
                reason="",
                by=buyer,
                now=now(),
            )
            subscriptions.confirm_active(session, subscription_id, now=now())

    def revoke(self, subscription_id: str) -> None:
        """End it."""
        with self.sessions.begin() as session:
            subscriptions.revoke(
                session, subscription_id, by=SYSTEM, reason="", now=now(), if_revision=None
            )


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """The registry, ready; see World."""
    migrate(database_url)
    database = engine(database_url)
    sessions = sessionmaker(database)
    log = MemoryLog(now_ms=lambda: time.time_ns() // 1_000_000)
    log.create_topic(CONTROL_TOPIC)

    def authenticate(secret: str | None) -> Actor:
        if secret == OPERATOR_TOKEN:
            return OPERATOR
        with sessions() as session:
            known = tokens.authenticate(session, secret or "", now=now())
        if known is None:
            raise UnauthenticatedError("token: unknown")
        return Actor(f"token {known.id}", known.organisation)

    app = registry_app(RegistryServices(sessions=sessions, authenticate=authenticate, clock=now))
    stop = threading.Event()
    relay = threading.Thread(target=Relay(database, log, clock=now).run, args=(stop,))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    relay.start()
    serving.start()
    try:
        made = World(
            url=f"http://127.0.0.1:{listening.getsockname()[1]}",
            sessions=sessions,
            log=log,
            tokens={"operator": OPERATOR_TOKEN},
        )
        for organisation in ("acme", "grid", "rival"):
            made.join(organisation)
        made.sell("acme/wind")
        yield made
    finally:
        server.should_exit = True
        stop.set()
        serving.join(20)
        relay.join(20)
        listening.close()
        database.dispose()
