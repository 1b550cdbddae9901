"""Room: every bound of a batch set is kept, but for one record that is larger by itself."""

import pytest

from broker.domain import events as ev
from broker.domain.policy import ProductRule, SubscriptionRule
from broker.errors import InvalidFieldError
from broker.flow.room import Room
from broker.flow.settings import LaneSettings
from broker.log.ports import Fetched, Records, TopicPartition

PLACE = TopicPartition("product.acme.wind", 0)


def _product(fan_out: int, validation: ev.Validation = "header") -> ProductRule:
    rules = {
        f"buyer/{n}": SubscriptionRule(f"buyer/{n}", f"delivery.buyer.{n}", True, None, None)
        for n in range(fan_out)
    }
    return ProductRule(
        "acme/wind", PLACE.topic, "id", 1, "q", "s", validation, 1_000_000, 0, subscriptions=rules
    )


def _fetched(count: int, value: bytes | None, first_offset: int = 0) -> Fetched:
    offsets = range(first_offset, first_offset + count)
    records = Records(offsets, [0] * count, [None] * count, [value] * count, [None] * count)
    return Fetched(PLACE, records, first_offset + count, at_end=True, position=first_offset)


@pytest.mark.parametrize(
    ("fan_out", "validation", "value", "share", "taken"),
    [
        (1, "header", bytes(10), 1.0, 100),
        (0, "header", bytes(10), 1.0, 100),
        (10, "header", bytes(10), 1.0, 20),  # 200 output records
        (10, "header", None, 1.0, 20),  # a tombstone weighs nothing, and counts
        (10, "header", bytes(10), 0.5, 10),
        (5, "header", bytes(100), 1.0, 10),  # 5,000 output bytes
        (1, "full", bytes(100), 1.0, 3),  # 300 bytes to decode
        (1, "full", bytes(1_000), 1.0, 1),
        (100, "header", bytes(1_000), 0.001, 1),
        (1, "header", bytes(10), 0.0001, 1),
    ],
)
def test_what_fits_is_taken_and_the_rest_waits(
    fan_out: int, validation: ev.Validation, value: bytes | None, share: float, taken: int
) -> None:
    """In order, at least one record, and the rest goes on where it was cut."""
    settings = LaneSettings(output_records_max=200, output_max_bytes=5_000, decode_max_bytes=300)
    fetched = _fetched(100, value)
    room = Room(settings, share)
    assert not room.full
    kept, size_bytes, rest = room.take(fetched, _product(fan_out, validation))
    assert list(kept.records.offsets) == list(range(taken))
    assert size_bytes == taken * len(value or b"")
    if taken == 100:
        assert (kept, rest) == (fetched, None)
        return
    assert rest is not None
    assert list(rest.records.offsets) == list(range(taken, 100))
    assert (kept.next_offset, rest.position, rest.next_offset) == (taken, taken, 100)
    assert (kept.at_end, rest.at_end) == (False, True)


def test_room_is_full_when_a_bound_is_reached() -> None:
    """What one partition took is not there for the next."""
    room = Room(LaneSettings(output_records_max=20), 1.0)
    room.take(_fetched(5, b"x"), _product(2))
    assert not room.full
    room.take(_fetched(100, b"x"), _product(2))
    assert room.full


def test_deadlines_that_outlast_a_transaction_are_refused() -> None:
    """Their sum is what counts."""
    with pytest.raises(InvalidFieldError, match="must be less than 15"):
        LaneSettings(send_timeout_s=4.0)
