"""Probe: does this machine's clock agree with the exchange's?"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from broker.client.probe_step import StepFailedError, StepSkippedError

SKEW_MAX = timedelta(seconds=5)


def clock(
    now: Callable[[], datetime],
    api_clock: Callable[[], datetime | None],
    appended: Sequence[datetime],
) -> str:
    """In words, that they agree.

    Args:
        now: this machine's clock.
        api_clock: the API's; None where there is none to ask.
        appended: the broker's time of what was just written, which goes before the API's.

    Raises:
        StepFailedError: they differ by more than `SKEW_MAX`.
        StepSkippedError: there is no clock to compare with.
    """
    other = appended[0] if appended else api_clock()
    whose = "the broker's" if appended else "the API's"
    if other is None:
        raise StepSkippedError(
            "not compared: no API is known, or it does not answer; set WEIR_API_URL to where it "
            "is, or write a record with --write ORG/PRODUCT"
        )
    skew = now() - other
    if abs(skew) > SKEW_MAX:
        ahead = "ahead of" if skew > timedelta(0) else "behind"
        raise StepFailedError(
            f"this machine's clock is {abs(skew).total_seconds():.0f} s {ahead} {whose}: let it "
            "follow a time server; billing goes by the broker's"
        )
    return f"this machine's clock agrees with {whose}"
