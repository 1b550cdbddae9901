"""An exchange's control plane over a real PostgreSQL, with Kafka in memory."""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg import sql
from sqlalchemy import text, update
from sqlalchemy.orm import Session, sessionmaker

from broker.api.app import create_app
from broker.api.services import Services
from broker.control import products, subscriptions
from broker.local.postgres import EmbeddedPostgres
from broker.log.memory import MemoryLog
from broker.store.base import engine
from broker.store.control import ControlCounterRow
from broker.store.migrate import migrate

OPERATOR_TOKEN = "the-operator"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOPIC_ID = "3f0c0b1e-0000-4000-8000-000000000000"
PRICE = {"currency": "EUR", "model": "unit", "metric": "records", "unit_amount": "0.01"}

TABLES = (
    *("organisations", "service_accounts", "api_tokens", "products", "plans", "plan_versions"),
    *("subscriptions", "subscription_history", "control_events", "idempotency_keys"),
    "segments",
)
Headers = dict[str, str]


@dataclass
class MemoryCredentials:
    """SCRAM users in memory."""

    passwords: dict[str, str] = field(default_factory=dict)

    def set_password(self, principal: str, password: str) -> None:
        """Keep it."""
        self.passwords[principal] = password


@dataclass
class World:
    """The API, what is behind it, and short ways to a state."""

    client: TestClient
    sessions: sessionmaker[Session]
    credentials: MemoryCredentials
    log: MemoryLog
    now: datetime
    topics: set[str] = field(default_factory=set)

    operator: ClassVar[Headers] = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}

    def pass_time(self, **delta: float) -> None:
        """Move the clock on."""
        self.now += timedelta(**delta)

    def ask(self, method: str, path: str, headers: Headers, body: Any = None) -> httpx.Response:
        """One request under /v1."""
        return self.client.request(method, f"/v1{path}", headers=headers, json=body)

    def get(self, path: str, headers: Headers) -> httpx.Response:
        """GET."""
        return self.ask("GET", path, headers)

    def post(self, path: str, headers: Headers, body: Any = None) -> httpx.Response:
        """POST."""
        return self.ask("POST", path, headers, body)

    def done(self, method: str, path: str, headers: Headers, body: Any = None) -> Any:
        """One request that must succeed; its body."""
        answer = self.ask(method, path, headers, body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def organisation(self, slug: str) -> Headers:
        """Let a company in; its token as headers."""
        self.done("POST", "/organisations", self.operator, {"id": slug, "name": slug.title()})
        made = self.done("POST", f"/organisations/{slug}/tokens", self.operator, {"name": "first"})
        return {"Authorization": f"Bearer {made['token']}"}

    def product(self, product_id: str, seller: Headers, **settings: Any) -> Any:
        """A published product, as the provisioner would confirm it."""
        body = {"id": product_id, "title": product_id, "partitions": 2, **settings}
        self.done("POST", "/products", seller, body)
        published = self.done("POST", f"/products/{product_id}/publish", seller)
        for topic in {published["topic"], published["quarantine_topic"]} - self.topics:
            self.log.create_topic(topic, published["partitions"], append_time=True)
            self.topics.add(topic)
        topic_id = TOPIC_ID[:-4] + hashlib.sha256(product_id.encode()).hexdigest()[:4]
        with self.sessions.begin() as session:
            products.confirm_published(session, product_id, topic_id, now=self.now)
        return self.done("GET", f"/products/{product_id}", seller)

    def plan(self, plan_id: str, product_id: str, seller: Headers, **terms: Any) -> None:
        """A plan whose first version is published."""
        body = {"id": plan_id, "product": product_id, "title": plan_id}
        self.done("POST", "/plans", seller, body)
        self.version(plan_id, seller, **terms)

    def version(self, plan_id: str, seller: Headers, **terms: Any) -> int:
        """One more published version of a plan; its number."""
        body = {"price": PRICE, "period": {"length_s": 60}, **terms}
        number = self.done("POST", f"/plans/{plan_id}/versions", seller, body)["number"]
        self.done("POST", f"/plans/{plan_id}/versions/{number}/publish", seller)
        return int(number)

    def active(
        self, subscription_id: str, product_id: str, plan_id: str, buyer: Headers, seller: Headers
    ) -> None:
        """A subscription, approved, its topic confirmed."""
        body = {"id": subscription_id, "product": product_id, "plan": plan_id}
        self.done("POST", "/subscriptions", buyer, body)
        self.done("POST", f"/subscriptions/{subscription_id}/approve", seller, {})
        self.confirm(subscription_id)

    def confirm(self, subscription_id: str) -> None:
        """Its topic is there."""
        with self.sessions.begin() as session:
            subscriptions.confirm_active(session, subscription_id, now=self.now)


@pytest.fixture(scope="session")
def shared(postgres: EmbeddedPostgres) -> Iterator[World]:
    """One database and one app for all these tests: to make them costs seconds."""
    name = f"control_{secrets.token_hex(6)}"
    server = postgres.database_url
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = f"{server.removesuffix('/weir')}/{name}"
    migrate(url)
    database = engine(url)
    made: list[World] = []
    credentials, log = MemoryCredentials(), MemoryLog(now_ms=lambda: 0)
    services = Services(
        sessions=sessionmaker(database, expire_on_commit=False),
        clock=lambda: made[0].now,
        log=log,
        credentials=credentials,
        operator_sha256=hashlib.sha256(OPERATOR_TOKEN.encode()).digest(),
    )
    with TestClient(create_app(services), raise_server_exceptions=False) as client:
        made.append(World(client, services.sessions, credentials, log, START))
        yield made[0]
    database.dispose()


@pytest.fixture
def world(shared: World) -> World:
    """An empty exchange."""
    shared.now = START
    shared.credentials.passwords.clear()
    with shared.sessions.begin() as session:
        # Without triggers: neither order nor what refers to them matters.
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for table in TABLES:
            session.execute(text(f"DELETE FROM {table}"))
        session.execute(update(ControlCounterRow).values(seq=0))
    return shared


@dataclass
class Trade:
    """A seller with a product on a plan, and a buyer."""

    seller: Headers
    buyer: Headers


@pytest.fixture
def trade(world: World) -> Trade:
    """`acme/wind` on plan `acme/basic`, version 1; `grid` may buy."""
    seller, buyer = world.organisation("acme"), world.organisation("grid")
    world.product("acme/wind", seller)
    world.plan("acme/basic", "acme/wind", seller)
    return Trade(seller, buyer)
