"""Alarms of the lane end with what they were raised for."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from broker.alarms import Alarm
from broker.errors import ControlLogError
from broker.flow.app import Feed
from broker.log.ports import Committed, TopicPartition
from tests.unit.flow.one_lane import FIRST, OneLane, stands


def test_hanging_transaction_ends_with_the_transaction(one: OneLane) -> None:
    """Offsets that a dead owner's transaction holds are an alarm until they can be read."""
    dead = one.world.log.producer(transactional_id="weir-router-dead")
    dead.init_transactions(timeout_s=1)
    dead.begin()
    group = one.lane._opened().consumer.group_metadata()
    dead.send_offsets({FIRST: Committed(0, "")}, group, timeout_s=1)
    one.world.log.kill(dead)
    one.lane.rebuild()
    one.send()
    one.turn()
    assert stands(Alarm.HANGING_TRANSACTION)
    assert one.delivered() == 1
    one.world.log.expire_transaction("weir-router-dead")
    one.turn(10)
    assert not stands(Alarm.HANGING_TRANSACTION)
    assert one.delivered() == 2


def test_control_log_alarm_ends_when_the_log_can_be_read(one: OneLane) -> None:
    """A hole in the control log stops routing under an alarm, which ends with the hole."""
    control = one.world.log._broker.partition(TopicPartition("weir.control", 0))
    one.world.toggle()
    one.world.toggle()
    missing = control.entries[-2]
    control.entries[-2] = replace(control.entries[-1], offset=missing.offset)
    one.send()
    one.turn()
    assert stands(Alarm.CONTROL_LOG)
    assert one.delivered() == 1
    control.entries[-2] = missing
    one.turn()
    assert not stands(Alarm.CONTROL_LOG)
    assert one.delivered() == 2


def test_router_that_starts_on_a_hole_says_so(one: OneLane) -> None:
    """A router that can make no policy yet is not ready, and the alarm says why."""
    control = one.world.log._broker.partition(TopicPartition("weir.control", 0))
    one.world.toggle()
    one.world.toggle()
    missing = control.entries[-2]
    control.entries[-2] = replace(control.entries[-1], offset=missing.offset)
    fresh = OneLane(one.world)
    with pytest.raises(ControlLogError):
        fresh.lane.rebuild()
    assert (fresh.lane.ready, stands(Alarm.CONTROL_LOG)) == (False, True)
    control.entries[-2] = missing
    fresh.lane.rebuild()
    assert (fresh.lane.ready, stands(Alarm.CONTROL_LOG)) == (True, False)


def test_event_of_a_later_version_is_an_alarm(one: OneLane) -> None:
    """What a router does not understand of the control log stops it under an alarm."""
    producer = one.world.log.producer(transactional_id=None)
    producer.send_one("weir.control", 0, key=None, value=b"later", timeout_s=1)
    producer.flush(timeout_s=1)
    one.send()
    one.turn(20)
    assert stands(Alarm.CONTROL_LOG)
    assert (one.delivered(), one.lane.ready) == (1, False)
    one.world.log._broker.partition(TopicPartition("weir.control", 0)).entries.pop()
    one.turn()
    assert not stands(Alarm.CONTROL_LOG)
    assert one.delivered() == 2


def test_step_failed_ends_with_the_next_success(one: OneLane) -> None:
    """A bug in a step is an alarm and costs the batch set; the next time it works ends it."""
    seen: list[bool] = []

    def step() -> bool:
        if not seen:
            raise KeyError("a bug")
        return True

    async def twice(feed: Feed) -> list[bool | None]:
        first = await feed.attempt(step)
        seen.append(stands(Alarm.STEP_FAILED))
        return [first, await feed.attempt(step)]

    with ThreadPoolExecutor(1) as thread:
        answers = asyncio.run(twice(Feed(one.lane, one.settings, thread)))
    assert answers == [None, True]
    assert seen == [True]
    assert not stands(Alarm.STEP_FAILED)
