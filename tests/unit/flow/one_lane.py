"""A lane on the memory log with a given clock; the test lets time pass, things fail and heal."""

from dataclasses import replace

from broker import metrics
from broker.alarms import Alarm
from broker.errors import WeirError
from broker.flow.lane import Lane
from broker.log.ports import Records, TopicPartition
from tests.sim.checks import committed
from tests.sim.worker import SETTINGS, Inline
from tests.sim.world import TOPIC, World

FIRST, SECOND = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)
GOOD = b"\0\0\0\0\x01body"
STALL_MAX_S = 45.0


class OneLane:
    """One lane that routes one product of two partitions, and its world."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World(1, workers=0)
        self.settings = replace(SETTINGS, stall_max_s=STALL_MAX_S)
        self.lane = Lane(
            self.world.log,
            instance="0",
            settings=self.settings,
            clock=self.world.clock,
            executor=Inline(),
        )

    def send(self, partition: int = 0) -> None:
        """One valid record."""
        records = Records([0], [0], [None], [GOOD], [None])
        self.world._producer.send(TOPIC, partition, records, timeout_s=1)

    def delivered(self, partition: int = 0) -> int:
        """How many records a buyer sees."""
        return len(committed(self.world.log, "delivery.grid.all", partition))

    def turn(self, count: int = 5) -> None:
        """So many batch sets from poll to commit; the lane answers what fails."""
        for _ in range(count):
            try:
                batches = self.lane.poll()
                if batches is not None:
                    routed = self.lane.route(batches, self.lane.enforce(batches))
                    self.lane.commit(batches, self.lane.meter(batches, routed))
            except WeirError as error:
                self.fail(error)
            self.pass_time(0.2)

    def fail(self, error: WeirError) -> None:
        """The lane answers; it stays without clients where none can be made."""
        try:
            self.lane.fail(error)
        except WeirError:
            self.pass_time(1)

    def pass_time(self, seconds: float) -> None:
        """By the lane's clock."""
        self.world.clock.ms += round(seconds * 1000)


def stands(kind: Alarm) -> bool:
    """Whether an alarm of this kind stands on anything."""
    return any(
        sample.labels["kind"] == kind and sample.value
        for metric in metrics.ALARM.collect()
        for sample in metric.samples
    )
