"""The flow on the memory log under a seeded scheduler: orderings, crashes, lost answers.

A failure replays by its seed: `pytest tests/sim -k "test_every_fate and 471"`.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from broker.flow.batch import BatchSet
from broker.flow.chain import Chain
from broker.flow.clients import Clients
from broker.flow.lane import Lane
from tests.sim.checks import BrokenError, committed
from tests.sim.world import World

ALL_ACTS: list[Callable[[World], str]] = [
    World.produce,
    World.produce,
    World.produce,
    World.register,
    World.toggle,
    World.evict,
    World.keepalive,
    World.kill,
    World.expire,
    World.lose,
    World.bar,
    World.leap,
    World.close_period,
    World.spoil,
]
EVICTION_ACTS = [World.produce, World.evict, World.keepalive]


@pytest.mark.parametrize("seed", range(1_000))
def test_every_fate(seed: int) -> None:
    """Whatever happens between two steps, invariants 1 to 3 hold, and all is accounted for."""
    world = World(seed, workers=1 + seed % 3)
    try:
        world.run(60, ALL_ACTS)
        world.settle()
    except Exception as error:
        raise AssertionError("\n".join([*world.trace[-80:], repr(error)])) from error


class Careless(Lane):
    """A lane without the rule: it takes its group metadata when it commits, and trusts it."""

    def _current(self, batches: BatchSet) -> Clients:
        clients = self._opened()
        object.__setattr__(batches, "group", clients.consumer.group_metadata())
        for batch in batches.batches:
            # What it would remember of a partition that left and came back.
            chains = clients.partitions.chains
            chains[batch.partition] = replace(
                chains.get(batch.partition, Chain(batch.product.topic_id, 0)),
                next_offset=batch.first_offset,
            )
        return clients


@pytest.mark.parametrize("seed", range(100))
def test_evicted_worker_never_commits_its_old_batch(seed: int) -> None:
    """A worker that was evicted and has rejoined aborts the batch it polled before."""
    world = World(seed, workers=2)
    world.run(60, EVICTION_ACTS)
    world.settle()


def _visible_twice(world: World) -> list[bytes]:
    """Delivered records (each value is unique but for tombstones) that a buyer sees again."""
    twice: list[bytes] = []
    for topic in world.model.delivery_topics.values():
        for partition in world.log.entries(topic):
            values = [e.value for e in committed(world.log, topic, partition) if e.value]
            twice += [value for value, count in Counter(values).items() if count > 1]
    return twice


def test_refreshed_metadata_would_duplicate() -> None:
    """Without pinned metadata and the epoch, some seed makes both workers' records visible."""
    assert any(_duplicates(seed) for seed in range(500))


def _duplicates(seed: int) -> bool:
    world = World(seed, workers=2, lane_class=Careless)
    try:
        world.run(60, EVICTION_ACTS)
    except BrokenError:
        return _visible_twice(world)
    return False
