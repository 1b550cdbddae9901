"""One log for every test of the contract: in memory, then real Kafka."""

import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from broker.log.kafka import KafkaLog
from broker.log.memory import MemoryLog
from tests.contract.harness import Harness, KafkaTopics, MemoryTopics


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def log(request: pytest.FixtureRequest, unique: Callable[[str], str]) -> Iterator[Harness]:
    """The log under test; its clients are closed at the end."""
    if request.param == "memory":
        ticks = count(int(time.time() * 1_000))
        memory = MemoryLog(now_ms=lambda: next(ticks))
        harness = Harness(memory, MemoryTopics(memory), unique)
    else:
        config = request.getfixturevalue("kafka").config
        harness = Harness(KafkaLog(config), KafkaTopics(config.client()), unique)
    yield harness
    harness.close()
