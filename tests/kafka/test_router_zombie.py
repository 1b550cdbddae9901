"""A worker that was evicted in the middle of a batch set never makes its records visible.

Real Kafka, real lanes, one process each. The worker is put to sleep by SIGSTOP until the group has
evicted it, another takes its partitions over and commits, then it wakes.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.config import KafkaConfig
from broker.local.demo.waiting import until
from broker.local.kafka import TESTING, EmbeddedKafka
from tests.kafka.exchange import WAIT_S
from tests.kafka.lane_worker import Careless, Worker
from tests.kafka.lane_world import delivered, in_order, produce, publish, route_everything

pytestmark = pytest.mark.kafka

FIRST, SECOND = 100, 20
# A third of what a working exchange waits, so that the test is quick.
EVICTION = {
    "group.consumer.session.timeout.ms": "2000",
    "group.consumer.min.session.timeout.ms": "2000",
    "group.consumer.heartbeat.interval.ms": "500",
    "group.consumer.min.heartbeat.interval.ms": "500",
}


@pytest.fixture
def config(tmp_path: Path) -> Iterator[KafkaConfig]:
    """A broker whose control log holds one product, its schema and one subscription."""
    with EmbeddedKafka(tmp_path / "kafka", jvm=TESTING, extra=EVICTION) as kafka:
        publish(kafka.config)
        yield kafka.config


@pytest.mark.parametrize("polls_first", [True, False], ids=["polls", "commits at once"])
def test_evicted_worker_aborts_its_old_batch(config: KafkaConfig, *, polls_first: bool) -> None:
    """It aborts, whether it has rejoined the group or believes to be in it still; all goes on."""
    with Worker(config, "a") as zombie, Worker(config, "b") as heir:
        put_to_sleep_in_mid_work(config, zombie)
        route_everything([heir], FIRST)
        zombie.wake()
        if polls_first:
            wait_rejoined(zombie, heir)
        assert zombie.commit_held() != ""
        produce(config, FIRST, SECOND)
        route_everything([zombie, heir], FIRST + SECOND)
    assert delivered(config) == in_order(FIRST + SECOND)


def test_without_the_rule_both_are_visible(config: KafkaConfig) -> None:
    """A lane that takes its group metadata when it commits delivers the old batch again."""
    with Worker(config, "a", lane_class=Careless) as zombie, Worker(config, "b") as heir:
        held = put_to_sleep_in_mid_work(config, zombie)
        route_everything([heir], FIRST)
        zombie.wake()
        wait_rejoined(zombie, heir)
        assert zombie.commit_held() == ""
        seen = delivered(config)
        assert len(seen) == FIRST + held
        assert set(seen) == set(range(FIRST))


def put_to_sleep_in_mid_work(config: KafkaConfig, worker: Worker) -> int:
    """Let it own all, and hold a batch set whose records are produced and not committed."""
    produce(config, 0, FIRST)
    held = until(lambda: worker.hold() or None, what="a batch set with records", timeout_s=WAIT_S)
    worker.stop()
    return held


def wait_rejoined(worker: Worker, other: Worker) -> None:
    """Both poll until the worker is a member again and has got a partition back."""
    until(
        lambda: (other.step(), worker.rejoin())[1],
        what="the worker in the group again, with a partition",
        timeout_s=WAIT_S,
    )
