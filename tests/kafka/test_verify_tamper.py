"""The recount on real Kafka and PostgreSQL: honest data agree, each tampered store is named.

One exchange serves all tests of this file; Kafka forgets nothing, so each test looks at what its
own tampering adds to the differences before it.
"""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient

from broker.avro.codec import decode_segment, encode_event, encode_segment
from broker.cli.verify import verify
from broker.domain import events as ev
from broker.domain.segment import Segment, usage_key
from broker.local.postgres import EmbeddedPostgres
from broker.log.ports import TopicPartition
from broker.verify.report import Difference

from .verify_control import BUYERS, PRODUCT, QUARANTINE, TOPIC
from .verify_exchange import Exchange
from .verify_kafka import kafka_exchange

pytestmark = pytest.mark.kafka

PRICE = {
    "currency": "EUR",
    "components": [
        {"name": "access", "model": "flat", "amount": "29.00"},
        {"model": "unit", "metric": "records", "unit_amount": "0.001"},
    ],
    "tax": {"mode": "exclusive", "percentage": "19"},
}
GRID = "grid/wind"
GOOD = b"\0\0\0\0\1" + bytes(8)


@pytest.fixture(scope="module")
def exchange(embedded_directory: Path, postgres: EmbeddedPostgres) -> Iterator[Exchange]:
    """Two partitions, three buyers, one of them revoked halfway; billed."""
    with kafka_exchange(embedded_directory / "kafka-verify", postgres) as made:
        version = made.plan(PRICE)
        for buyer in BUYERS:
            made.subscribe(buyer, version)
        made.produce(2_000)
        made.send(TOPIC, 0, [b"{}", b"", b"\0\0\0\0\x09!", b"\0\0\0\0\1" + bytes(2000)])
        made.produce(500, partition=1, first=5_000)
        made.send(TOPIC, 1, [GOOD, None], headers=[("trace", b"1"), ("empty", None)], key=None)
        made.route()
        made.change("trial/wind", ev.SubscriptionRevoked("trial/wind", PRODUCT))
        made.produce(300, first=9_000)
        made.route()
        made.bill()
        yield made


class Added:
    """Differences since it was made."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._before = set(exchange.recount().differences)

    def __call__(self) -> list[Difference]:
        return [one for one in self._exchange.recount().differences if one not in self._before]


@pytest.fixture
def added(exchange: Exchange) -> Added:
    """What differs because of this test."""
    return Added(exchange)


def segments(exchange: Exchange) -> list[tuple[int, bytes, Segment]]:
    """Of source partition 0: place in weir.usage, bytes and segment, in order."""
    reader = exchange.log.reader(committed=True)
    found = []
    for place in range(3):
        at = TopicPartition("weir.usage", place)
        fetched = reader.read(at, 0, records_max=10_000, timeout_s=20)
        for value in fetched.records.values:
            segment = decode_segment(value or b"")
            if segment.partition == 0:
                found.append((place, value or b"", segment))
    reader.close()
    return found


def test_honest_data_agree(exchange: Exchange) -> None:
    """Entitled = delivered = metered = billed for each; the revoked one has its cutover."""
    report = exchange.recount()
    assert [str(one) for one in report.differences] == []
    rows = {row.subscription: row for row in report.subscriptions}
    for name, records in ((GRID, 2_802), ("care/wind", 2_802), ("trial/wind", 2_502)):
        row = rows[name]
        assert row.entitled_records == row.delivered_records == records
        assert row.metered_records == row.billed_records == records
        assert row.entitled_bytes == row.delivered_bytes == row.metered_bytes == row.billed_bytes
        assert len(row.invoices) == 1
    assert report.products[0].source_records == 2_806
    assert sum(report.products[0].refused.values()) == 4
    assert rows["trial/wind"].cutover == {0: 2_004, 1: 502}
    assert report.undeliverable == report.chain_only == report.gaps == ()


def test_command(exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`weir verify` exits 0 while all agree, and prints the report."""
    secret = tmp_path / "password"
    secret.write_text(exchange.config.password)
    monkeypatch.setenv("WEIR_KAFKA_BOOTSTRAP", exchange.config.bootstrap)
    monkeypatch.setenv("WEIR_KAFKA_USERNAME", exchange.config.username)
    monkeypatch.setenv("WEIR_KAFKA_PASSWORD_FILE", str(secret))
    url = exchange.database.url.render_as_string(hide_password=False)
    monkeypatch.setenv("WEIR_DATABASE_URL", url)
    done = CliRunner().invoke(verify, ["--home", str(tmp_path), "--product", PRODUCT])
    assert done.exit_code == 0, done.output
    assert "all agree" in done.output
    exchange.sql("UPDATE usage SET records = records + 1 WHERE subscription = 'grid/wind'")
    done = CliRunner().invoke(verify, ["--home", str(tmp_path), "--json"])
    exchange.sql("UPDATE usage SET records = records - 1 WHERE subscription = 'grid/wind'")
    assert done.exit_code == 1
    assert '"agrees": false' in done.output


@pytest.mark.parametrize(
    ("table", "assignment", "where", "store", "what"),
    [
        (
            "usage",
            "billed_bytes = billed_bytes {sign} 1",
            "subscription = 'grid/wind' AND partition = 1",
            "ledger",
            "usage has billed_bytes",
        ),
        (
            "segments",
            "canonical = set_byte(canonical, 20, get_byte(canonical, 20) {sign} 1)",
            "number = 1 AND partition = 1",
            "ledger",
            "segment 1: the stored bytes differ",
        ),
        (
            "invoice_lines",
            "amount = amount {sign} 0.01",
            "position = 1",
            "billing",
            "line 'records' is",
        ),
        (
            "journal_postings",
            "amount_minor = amount_minor {sign} 1",
            "account = 'seller'",
            "journal",
            "sums to 1, not to zero",
        ),
        (
            "chains",
            "watermark_ms = watermark_ms {sign} 1",
            "partition = 0",
            "ledger",
            "the chain's row of coverage disagrees with segment",
        ),
        (
            "invoices",
            "subscription = CASE '{sign}' WHEN '+' THEN 'no/body' ELSE 'care/wind' END",
            "buyer = 'care'",
            "billing",
            "is billed, but the control log never activated it",
        ),
        (
            "control_events",
            "canonical = set_byte(canonical, 20, get_byte(canonical, 20) {sign} 1)",
            "seq = 3",
            "control",
            "seq 3 (SubscriptionActivated): PostgreSQL's bytes differ",
        ),
    ],
)
def test_tampered_postgresql(  # noqa: PLR0917  a table of cases
    exchange: Exchange, added: Added, table: str, assignment: str, where: str, store: str, what: str
) -> None:
    """A usage row, a stored segment, an invoice line, a posting, a control event."""
    exchange.sql(f"UPDATE {table} SET {assignment.format(sign='+')} WHERE {where}")
    named = added()
    exchange.sql(f"UPDATE {table} SET {assignment.format(sign='-')} WHERE {where}")
    assert {one.store for one in named} == {store}
    assert any(what in one.what for one in named), named
    assert added() == []


def test_record_added_to_a_delivery_topic(exchange: Exchange, added: Added) -> None:
    """An admin's record is named with subscription, partition and offset."""
    topic = "delivery.grid.wind"
    reader = exchange.log.reader(committed=True)
    end = reader.offsets(TopicPartition(topic, 1), timeout_s=20).last_stable
    reader.close()
    exchange.send(topic, 1, [GOOD])
    (one,) = added()
    assert (one.store, one.subscription, one.partition, one.topic) == ("delivery", GRID, 1, topic)
    assert (one.first_offset, one.next_offset) == (end, end + 1)


def test_record_added_to_quarantine(exchange: Exchange, added: Added) -> None:
    """A record that the router never refused."""
    exchange.send(QUARANTINE, 1, [GOOD])
    (one,) = added()
    assert (one.store, one.partition) == ("quarantine", 1)


def test_segment_replayed_under_another_number(exchange: Exchange, added: Added) -> None:
    """A range accounted for a second time, well chained, is named with its offsets."""
    of_partition = segments(exchange)
    place, data, last = of_partition[-1]
    again = next(segment for _, _, segment in of_partition if segment.kind == "records")
    forged = replace(
        again,
        number=last.number + 1,
        previous_digest=sha256(data).digest(),
        seq=last.seq,
        watermark_ms=last.watermark_ms,
    )
    key = usage_key(exchange.topic_id, 0)
    exchange.send("weir.usage", place, [encode_segment(forged)], key=key)
    named = added()
    assert {(one.store, one.partition) for one in named} == {("chain", 0)}
    assert (named[0].first_offset, named[0].next_offset) == (again.first_offset, again.next_offset)
    assert "a replay" in named[0].what


def test_control_event_forged(exchange: Exchange, added: Added) -> None:
    """An event written past the control plane: under a seq that is taken, and as the next."""
    taken = ev.ControlEvent(4, 0, ev.SubscriptionRevoked(GRID, PRODUCT))
    exchange.send("weir.control", 0, [encode_event(taken)])
    (one,) = added()
    assert (one.store, one.topic) == ("control", "weir.control")
    assert one.what.startswith("seq 4 (SubscriptionRevoked) stands here again")


def test_records_deleted_from_a_delivery_topic(exchange: Exchange, added: Added) -> None:
    """What was deleted is chain only; the rest is still compared."""
    admin = AdminClient(exchange.config.client())
    place = Place("delivery.care.wind", 0, 100)
    admin.delete_records([place])[place].result(30)
    assert added() == []
    lost = [one for one in exchange.recount().chain_only if one.subscription == "care/wind"]
    assert sum(one.records for one in lost) == 100
