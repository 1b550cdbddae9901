"""A producer's open transaction is an alarm, for nothing behind it is delivered."""

import pytest

from broker.alarms import Alarm
from broker.log.ports import Records
from tests.sim.world import TOPIC
from tests.unit.flow.one_lane import FIRST, GOOD, OneLane, stands


def look(one: OneLane, seconds: float) -> bool:
    """Whether the alarm stands after so long, looked at every two seconds."""
    for _ in range(round(seconds / 2)):
        one.pass_time(2)
        one.lane.observe()
    return stands(Alarm.HANGING_TRANSACTION)


@pytest.mark.parametrize("ends", ["commits", "leaves"])
def test_open_transaction_is_an_alarm_until_it_ends(one: OneLane, ends: str) -> None:
    """It is noticed after half a minute, not before, though nothing lags; it ends as it should."""
    producer = one.world.log.producer(transactional_id="somebody")
    producer.init_transactions(timeout_s=1)
    producer.begin()
    producer.send(TOPIC, 0, Records([0], [0], [None], [GOOD], [None]), timeout_s=1)
    one.turn()
    assert not look(one, 28)
    assert look(one, 20)
    assert one.delivered() == 1
    if ends == "leaves":
        one.lane._opened().partitions.revoked([FIRST])
    else:
        producer.commit(timeout_s=1)
        one.turn()
        assert one.delivered() == 2
    assert not look(one, 16)


def test_transactions_one_after_the_other_are_none_that_hangs(one: OneLane) -> None:
    """A producer that always has one open, each a short one, is no alarm."""
    producer = one.world.log.producer(transactional_id="somebody")
    producer.init_transactions(timeout_s=1)
    for _ in range(6):
        producer.begin()
        producer.send(TOPIC, 0, Records([0], [0], [None], [GOOD], [None]), timeout_s=1)
        assert not look(one, 14)
        producer.commit(timeout_s=1)
        one.turn()
    assert one.delivered() == 7
