"""Pace: how much of a full batch set a lane takes, so that its transaction ends in time.

    slow, or timed out ─▶ half          quick ─▶ a quarter more, up to the whole

What a set costs depends on record sizes, fan-out and how busy the machine is. One that could not be
committed in time would otherwise be made again, just as large, for ever.
"""

_SLOW_S, _QUICK_S = 3.0, 1.0
_SHARE_MIN = 1 / 1024


class Pace:
    """`share` is above 0 and at most 1; the bounds in `LaneSettings` are multiplied by it."""

    def __init__(self) -> None:
        self.share = 1.0

    def committed(self, took_s: float) -> None:
        """A transaction was committed in this time."""
        if took_s > _SLOW_S:
            self.timed_out()
        elif took_s < _QUICK_S:
            self.share = min(1.0, self.share * 1.25)

    def timed_out(self) -> None:
        """A transaction did not end in time."""
        self.share = max(_SHARE_MIN, self.share / 2)
