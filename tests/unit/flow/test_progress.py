"""Progress: a partition that lags and does not move, and none other."""

from broker.flow.progress import Progress
from broker.log.ports import TopicPartition

FIRST, SECOND = TopicPartition("product.acme.wind", 0), TopicPartition("product.acme.wind", 1)


def test_lag_without_progress_is_a_stall() -> None:
    """A partition that lags at one offset for longer than the bound has stalled."""
    progress = Progress()
    progress.note(FIRST, 7, 3, 0.0)
    progress.note(FIRST, 7, 4, 45.0)
    assert progress.stalled(45.0, 45.0) is None
    assert progress.stalled(45.1, 45.0) == FIRST


def test_progress_begins_the_wait_anew() -> None:
    """A partition that lags but moves has not stalled."""
    progress = Progress()
    progress.note(FIRST, 7, 3, 0.0)
    progress.note(FIRST, 8, 3, 40.0)
    assert progress.stalled(80.0, 45.0) is None


def test_no_lag_is_no_stall() -> None:
    """An idle partition may stand still for ever, even if nobody looks at it again."""
    progress = Progress()
    progress.note(FIRST, 7, 3, 0.0)
    progress.note(FIRST, 7, 0, 1.0)
    assert progress.stalled(1_000.0, 45.0) is None


def test_partition_that_left_is_no_stall() -> None:
    """A partition that was revoked or stopped while it lagged counts no more; another does."""
    progress = Progress()
    progress.note(FIRST, 7, 3, 0.0)
    progress.note(SECOND, 7, 3, 10.0)
    progress.keep([SECOND])
    assert progress.stalled(50.0, 45.0) is None
    assert progress.stalled(60.0, 45.0) == SECOND
