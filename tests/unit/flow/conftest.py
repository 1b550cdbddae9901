"""What the tests of the lane share."""

import pytest

from broker import metrics
from tests.unit.flow.one_lane import OneLane


@pytest.fixture
def one() -> OneLane:
    """A lane that has routed one record of each partition; no alarm stands."""
    metrics.ALARM.clear()
    one = OneLane()
    one.lane.open()
    for partition in range(2):
        one.send(partition)
    one.turn()
    assert [one.delivered(0), one.delivered(1)] == [1, 1]
    return one
