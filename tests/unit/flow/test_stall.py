"""The stall watchdog: a partition that is kept and never delivered costs the lane its clients."""

import pytest

from broker.alarms import Alarm
from broker.errors import LogTimeoutError
from tests.unit.flow.one_lane import FIRST, SECOND, STALL_MAX_S, OneLane


def _stand_still(one: OneLane, partition: int = 0) -> None:
    """The consumer keeps the partition and brings nothing of it, as was seen after restarts."""
    one.lane._opened().consumer.pause([FIRST, SECOND][partition : partition + 1])
    one.send(partition)
    one.turn()
    assert one.delivered(partition) == 1


def test_partition_that_stands_still_costs_the_clients(one: OneLane) -> None:
    """It is noticed when its bound has passed, not before; new clients deliver what it held."""
    _stand_still(one)
    old = one.lane._clients
    one.lane.observe()
    one.pass_time(STALL_MAX_S)
    one.lane.observe()
    one.pass_time(0.1)
    with pytest.raises(LogTimeoutError, match="lags without progress") as stalled:
        one.lane.observe()
    one.fail(stalled.value)
    assert one.lane._clients is not old
    one.turn()
    assert one.delivered() == 2
    one.pass_time(STALL_MAX_S + 1)
    one.lane.observe()


def test_partition_that_moves_is_left_alone(one: OneLane) -> None:
    """Work before it is no stall as long as some of it is done."""
    clients = one.lane._clients
    for _ in range(3):
        one.send()
        one.lane.observe()
        one.pass_time(STALL_MAX_S - 2)
        one.turn()
    one.pass_time(STALL_MAX_S)
    one.lane.observe()
    assert (one.delivered(), one.lane._clients) == (4, clients)


@pytest.mark.parametrize("how", ["left", "stopped"])
def test_partition_that_is_gone_is_forgotten(one: OneLane, how: str) -> None:
    """Another router has it, or an alarm stands on it: it is no reason for new clients."""
    _stand_still(one)
    one.lane.observe()
    partitions = one.lane._opened().partitions
    if how == "left":
        partitions.revoked([FIRST])
    else:
        partitions.stop(FIRST, Alarm.TOPIC_RECREATED, "a test")
    one.pass_time(STALL_MAX_S + 1)
    one.lane.observe()


def test_second_partition_that_stands_still_is_noticed(one: OneLane) -> None:
    """The one that moves does not hide the one that does not."""
    _stand_still(one, 1)
    one.lane.observe()
    one.pass_time(STALL_MAX_S - 1)
    one.send(0)
    one.turn()
    one.pass_time(2)
    with pytest.raises(LogTimeoutError, match="partition=1"):
        one.lane.observe()
