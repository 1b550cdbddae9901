"""What is due among many subscriptions: the same as looking at each, without looking at each."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

from broker.billing.activity import next_activity_ms, unbilled_ms
from broker.billing.contracts import contracts_of
from broker.billing.due import request_due
from broker.billing.runner import settle_proven
from broker.billing.statement import stretch_of
from broker.control import outbox
from broker.store.billing import PeriodCloseRow

UNIT = {"currency": "EUR", "model": "unit", "metric": "records", "unit_amount": "0.01"}
BEGAN = datetime(2026, 1, 28, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)
PRODUCTS = 22
SUBSCRIPTIONS = 220


def plain_due_ms(session: Session, product: str, *, now_ms: int) -> int | None:
    """The rule, by looking at every contract of the product."""
    latest_ms = 0
    for contract in contracts_of(session, product):
        for term in contract.terms():
            at_ms = unbilled_ms(session, contract, term)
            while at_ms is not None and at_ms < now_ms:
                period = contract.period_at(term, at_ms)
                stretch = stretch_of(contract, term, period, now_ms)
                if stretch is not None and stretch.final:
                    latest_ms = max(latest_ms, stretch.through_ms)
                at_ms = next_activity_ms(session, contract, term, period.end_ms)
    waits = select(PeriodCloseRow.end_ms).where(
        PeriodCloseRow.product == product,
        PeriodCloseRow.end_ms >= latest_ms,
        PeriodCloseRow.settled_at.is_(None),
    )
    if not latest_ms or session.scalars(waits.limit(1)).one_or_none() is not None:
        return None
    return latest_ms


class Market:
    """Many products of one seller, whose subscriptions live as a seed says."""

    def __init__(self, exchange: Any, random: Random) -> None:
        self.exchange = exchange
        self.random = random
        self.states: dict[str, str] = {}
        self.names = [f"windco/p{i:02}" for i in range(PRODUCTS)]
        lengths = (None, None, 21_600, 86_400)
        periods = [None if length_s is None else {"length_s": length_s} for length_s in lengths]
        self.plans = [
            (exchange.plan(UNIT, period), length_s)
            for period, length_s in zip(periods, lengths, strict=True)
        ]
        with exchange.sessions.begin() as session:
            for name in self.names:
                session.execute(_PRODUCT, {"id": name, "other": json.dumps(_product(name))})
                for partition in (0, 1):
                    session.execute(_CHAIN, {"topic_id": f"id {name}", "partition": partition})

    def subscribe(self, i: int, at: datetime) -> None:
        """One more, of a product in turn, under any plan."""
        version, length_s = self.random.choice(self.plans)
        name = self.exchange.subscribe(f"s{i:03}", version, at.isoformat(), length_s=length_s)
        with self.exchange.sessions.begin() as session:
            session.execute(
                text("UPDATE subscriptions SET product = :product WHERE id = :id"),
                {"product": self.names[i % PRODUCTS], "id": name},
            )
        self.states[name] = "active"

    def live(self, at: datetime) -> None:
        """Some are suspended, resumed, revoked or replanned; some get usage, ended ones too."""
        for name in self.random.sample(sorted(self.states), len(self.states) // 8):
            match self.states[name], self.random.randrange(4):
                case "active", 0:
                    self._change(name, "suspend", at, "suspended")
                case "suspended", 0 | 1:
                    self._change(name, "resume", at, "active")
                case "active", 1:
                    self._change(name, "revoke", at, "revoked")
                case "active", 2:
                    version, _ = self.random.choice(self.plans)
                    self.exchange.change(name, "replan", at.isoformat(), version=version)
                case _:
                    used = at - timedelta(minutes=self.random.randrange(60))
                    self.exchange.deliver(used.isoformat(), 3, to=name)

    def _change(self, name: str, act: str, at: datetime, state: str) -> None:
        self.exchange.change(name, act, at.isoformat())
        self.states[name] = state

    def plain(self, now: datetime) -> dict[str, int]:
        """By looking at everything."""
        with self.exchange.sessions() as session:
            at_ms = outbox.to_ms(now)
            due = {name: plain_due_ms(session, name, now_ms=at_ms) for name in self.names}
            billed = set(
                session.execute(
                    select(PeriodCloseRow.product, PeriodCloseRow.end_ms).where(
                        PeriodCloseRow.settled_at.is_not(None)
                    )
                ).tuples()
            )
        # What became due for an end that was billed already is asked for at the present.
        return {
            name: at_ms if (name, due_ms) in billed else due_ms
            for name, due_ms in due.items()
            if due_ms is not None
        }

    def asked(self, now: datetime) -> dict[str, int]:
        """By what `weir serve` does."""
        closes = request_due(self.exchange.sessions, now=now)
        return {close.product: close.end_ms for close in closes}

    def settle(self, now: datetime) -> None:
        """Bill what waits."""
        settle_proven(self.exchange.sessions, clock=lambda: now)


_PRODUCT = text(
    "INSERT INTO products SELECT (jsonb_populate_record(p, CAST(:other AS jsonb) || "
    "jsonb_build_object('id', CAST(:id AS text)))).* FROM products p WHERE id = 'windco/wind'"
)
_CHAIN = text(
    "INSERT INTO chains (topic_id, partition, flow, product, number, digest, next_offset, seq, "
    "watermark_ms) VALUES (:topic_id, :partition, 'live', '', 1, '', 0, 1000000000, 1e15)"
)


def _product(name: str) -> dict[str, str]:
    unique = ("topic", "quarantine_topic", "subject")
    return {column: f"{column} {name}" for column in unique} | {"topic_id": f"id {name}"}


def test_the_same_closes_as_by_looking_at_each(exchange: Any) -> None:
    """Hundreds of subscriptions over a month's end: the same closes by both ways, at each look.

    They are billed now and then, so closes wait, are proven, and are overtaken by later ends.
    """
    market = Market(exchange, Random(4))  # noqa: S311  a seed, no secret
    now = BEGAN
    asked = 0
    for i in range(SUBSCRIPTIONS):
        market.subscribe(i, now + timedelta(seconds=10 * market.random.randrange(360)))
    for step in range(8):
        now += HOUR * market.random.choice((1, 3, 9, 20)) + timedelta(seconds=7)
        market.live(now)
        expected = market.plain(now)
        found = market.asked(now)
        assert found == expected, f"step {step}"
        assert market.plain(now) == {}
        asked += len(found)
        if market.random.randrange(3):
            market.settle(now)
    assert asked > PRODUCTS


@contextmanager
def _statements(exchange: Any) -> Iterator[list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(exchange.engine, "before_cursor_execute", note)
    yield seen
    event.remove(exchange.engine, "before_cursor_execute", note)


def _scanned(exchange: Any, statement: str, parameters: Any) -> set[str]:
    """The tables that PostgreSQL reads whole for a statement."""
    with exchange.engine.connect() as connection:
        explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        [plan] = explained.scalars().one()
        connection.rollback()

    def tables(node: dict[str, Any]) -> Iterator[str]:
        if node["Node Type"] == "Seq Scan":
            yield node["Relation Name"]
        for inner in node.get("Plans", []):
            yield from tables(inner)

    return set(tables(plan["Plan"]))


def test_a_look_costs_what_has_ended(exchange: Any) -> None:
    """Of 5,000 subscriptions one has ended: few statements find it, and none reads them all."""
    version = exchange.plan(UNIT, {"length_s": 86_400})
    exchange.subscribe("meter", version, "2026-01-10T00:00:00+00:00", length_s=86_400)
    exchange.subscribe("model", version, "2026-01-10T12:00:00+00:00", length_s=86_400)
    with exchange.sessions.begin() as session:
        for table, key in (("subscriptions", "id"), ("subscription_history", "subscription")):
            topic = ", 'delivery_topic', i" if table == "subscriptions" else ""
            session.execute(
                text(
                    f"INSERT INTO {table} SELECT (jsonb_populate_record(t, "
                    f"jsonb_build_object('{key}', 'grid/' || i{topic}))).* "
                    f"FROM {table} t, generate_series(1, 5000) i WHERE {key} = 'grid/model'"
                )
            )
    assert request_due(exchange.sessions, now=datetime(2026, 1, 10, 13, tzinfo=UTC)) == []
    with exchange.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    with _statements(exchange) as seen:
        [close] = request_due(exchange.sessions, now=datetime(2026, 1, 11, 0, 0, 5, tzinfo=UTC))
    assert close.end_ms == outbox.to_ms(datetime(2026, 1, 11, tzinfo=UTC))
    assert len(seen) < 40
    assert not any(
        _scanned(exchange, statement, parameters)
        & {"subscriptions", "subscription_history", "billing_due"}
        for statement, parameters in seen
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT INTO billing"))
    )
