"""The recount beside a working exchange: what is still on its way is no difference."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from broker.local.postgres import EmbeddedPostgres
from broker.verify.recount import recount_log

from .verify_control import BUYERS, PRODUCT
from .verify_exchange import Exchange
from .verify_kafka import kafka_exchange

pytestmark = pytest.mark.kafka

ROUNDS = 12
PRICE = {"currency": "EUR", "model": "unit", "metric": "records", "unit_amount": "0.001"}


@pytest.fixture
def exchange(embedded_directory: Path, postgres: EmbeddedPostgres) -> Iterator[Exchange]:
    """Three buyers, nothing produced yet."""
    with kafka_exchange(embedded_directory / "kafka-verify-live", postgres) as made:
        version = made.plan(PRICE)
        for buyer in BUYERS:
            made.subscribe(buyer, version)
        yield made


def work(exchange: Exchange) -> None:
    """Produce, route, book and bill, over and over."""
    for number in range(ROUNDS):
        exchange.produce(700, partition=number % 2, first=number * 1_000)
        exchange.route()
        if number % 4 == 3:
            exchange.bill()


def test_beside_a_working_exchange(exchange: Exchange) -> None:
    """Recounts in the middle of the work agree, each with what was there when it looked."""
    seen = []
    with ThreadPoolExecutor(1) as beside:
        working = beside.submit(work, exchange)
        while not working.done() or len(seen) < 2:
            report = recount_log(
                exchange.log, exchange.database, product=PRODUCT, timeout_s=20, ledger_wait_s=15
            )
            assert [str(one) for one in report.differences] == []
            seen.append(report.subscriptions[0].billed_records)
        working.result()
    assert seen == sorted(seen)
    final = exchange.recount()
    assert final.agrees
    assert {row.delivered_records for row in final.subscriptions} == {ROUNDS * 700}
