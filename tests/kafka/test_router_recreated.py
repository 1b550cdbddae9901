"""A source topic recreated under a live lane: an alarm on each partition, nothing of it goes.

The lane alone, without `weir serve`, which would end the product within seconds.
"""

from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from broker.local.demo.waiting import until
from broker.local.kafka import TESTING, EmbeddedKafka
from tests.kafka.exchange import WAIT_S
from tests.kafka.lane_worker import Worker
from tests.kafka.lane_world import (
    PARTITIONS,
    SOURCE,
    TOPIC,
    delivered,
    in_order,
    produce,
    publish,
    route_everything,
)

pytestmark = pytest.mark.kafka

OLD = 100
NEW = 150
MORE_STEPS = 10


def test_a_live_lane_stops_at_a_recreated_topic(tmp_path: Path) -> None:
    """The new topic has records where the lane stands in the old one; none is delivered."""
    with EmbeddedKafka(tmp_path / "kafka", jvm=TESTING) as kafka:
        config = kafka.config
        publish(config)
        with Worker(config, "a") as worker:
            produce(config, 0, OLD)
            route_everything([worker], OLD)
            admin = AdminClient(config.client())
            admin.delete_topics([TOPIC])[TOPIC].result(30)
            until(
                lambda: admin.create_topics([SOURCE])[TOPIC].exception(30) is None,
                what=f"{TOPIC} made again",
                timeout_s=WAIT_S,
            )
            produce(config, OLD, NEW)
            alarms = [f"topic-recreated: {TOPIC}/{number}" for number in range(PARTITIONS)]

            def stopped() -> None:
                until(
                    lambda: (worker.step(), worker.watch() == alarms)[1],
                    what=f"{alarms}",
                    timeout_s=WAIT_S,
                )

            stopped()
            for _ in range(MORE_STEPS):
                worker.step()
            # The group takes the old topic's partitions away and brings the new one's: once more.
            stopped()
        assert delivered(config) == in_order(OLD)
