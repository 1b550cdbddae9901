"""A schema that was registered a moment ago is known to the router: nothing is quarantined."""

import json
from collections.abc import Callable

import pytest

from broker.local.demo.waiting import until
from tests.kafka.exchange import WAIT_S, Market

pytestmark = pytest.mark.kafka

VERSIONS = 20


def test_a_schema_registered_a_moment_ago_is_known(market: Callable[..., Market]) -> None:
    """Twenty times: register a version with the stock client and produce with it at once.

    Each turn waits until the records are delivered, so that the next version meets a router that
    is at rest and polls the record within milliseconds of its registration.
    """
    made = market(partitions=1)
    producer = made.producer()
    fields = [{"name": "n", "type": "long"}]
    for version in range(VERSIONS):
        fields.append({"name": f"added_{version}", "type": "long", "default": 0})
        schema = {"type": "record", "name": "R", "fields": fields}
        header = made.register(json.dumps(schema))
        producer.produce(made.product.topic, header + b"\0" * len(fields))
        assert producer.flush(30) == 0
        until(
            lambda sent=version + 1: made.exchange.covered(made.product_id, {0: sent}),
            what=f"record of version {version} in the ledger",
            timeout_s=WAIT_S,
        )
    buyer = made.buyers[0]
    assert made.quarantined() == []
    assert len(made.read(buyer)) == VERSIONS
    assert made.exchange.billed(buyer.subscription.id) == VERSIONS
