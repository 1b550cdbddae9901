"""Who cannot be written to is left alone, longer each time in a row."""

from dataclasses import replace

from broker.alarms import Alarm
from broker.flow.blame import Blame
from broker.flow.held import Held
from tests.unit.flow.one_lane import OneLane

PAUSE_S = 5.0


def waits_s(held: Held, now_s: float) -> float:
    """How long a failure now holds it back."""
    held.hold("acme/wind", "topic", "unwritable", now_s=now_s)
    begun_s = now_s
    while not held.retry(lambda _: True, now_s=now_s):
        now_s += PAUSE_S
    return now_s - begun_s


def test_failures_in_a_row_double_the_pause() -> None:
    """A write in between begins anew."""
    held = Held(Alarm.UNDELIVERABLE, PAUSE_S)
    assert [waits_s(held, 0.0) for _ in range(3)] == [5.0, 10.0, 20.0]
    held.written(["acme/wind"])
    assert waits_s(held, 0.0) == 5.0


def test_a_product_s_outages_are_not_added_up(one: OneLane) -> None:
    """A month after one outage of its quarantine topic the next holds a product as briefly."""
    one.send()
    batches = one.lane.poll()
    assert batches is not None
    [metered] = one.lane.meter(batches, one.lane.route(batches, one.lane.enforce(batches)))
    refused = replace(metered, segment=replace(metered.segment, refused=(("x", 1),)))
    blame = Blame(PAUSE_S)
    product = metered.segment.product
    pauses = []
    for _ in range(2):
        blame._products.hold(product, "topic", "unwritable", now_s=0.0)
        pauses.append(blame._products._held[product].until_s)
        blame.committed([metered])  # nothing refused: its quarantine was not written to
        blame.committed([refused])
    assert pauses == [PAUSE_S, PAUSE_S]
