"""What `weir status` reads from a process's metrics."""

from broker.local.status import Figures, figures_in

TEXT = """\
# HELP weir_lag_records Last stable offset minus committed offset.
# TYPE weir_lag_records gauge
weir_lag_records{partition="0",product="acme/wind"} 3.0
weir_lag_records{partition="1",product="acme/wind"} 4.0
# HELP weir_alarm 1 while an alarm stands.
# TYPE weir_alarm gauge
weir_alarm{kind="gap",subject="acme/wind 0"} 1.0
weir_alarm{kind="clock",subject="acme/wind 1"} 0.0
"""


def test_sums_lag_and_lists_standing_alarms() -> None:
    """Lag is summed over partitions; an alarm that was taken back is not shown."""
    assert figures_in(TEXT) == Figures(lag_records=7, alarms=("gap: acme/wind 0",))


def test_silence_is_not_zero() -> None:
    """A process that serves no figure has none."""
    assert figures_in("") == Figures(lag_records=None, coverage_lag_records=None)
