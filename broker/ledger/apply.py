"""Apply: a batch into the sink, its verdicts into alarms, its gaps into reading again.

The agent in `app.py` is three lines around it.
"""

from collections.abc import Callable, Sequence
from time import sleep

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from broker import metrics
from broker.alarms import Alarm, clear_alarm, raise_alarm
from broker.domain.names import USAGE_TOPIC
from broker.errors import UnavailableError
from broker.ledger.coverage import Entry, Settlement
from broker.ledger.entry import Refused, read_entries
from broker.ledger.reader import UsageReader
from broker.ledger.reading import Batch, Reading
from broker.ledger.sink import Sink

# Together 31.5 s: longer than PostgreSQL takes to restart, shorter than the minute after which the
# group takes the partitions of a member that does not poll.
_RETRY_AFTER_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)

_log = structlog.get_logger(__name__)


class Apply:
    """Applies the batches of one reader, one at a time. Blocks: call it off the event loop."""

    def __init__(
        self, reader: UsageReader, sink: Sink, *, pause: Callable[[float], object] = sleep
    ) -> None:
        self._reader = reader
        self._sink = sink
        self._pause = pause

    def __call__(self, batch: Batch) -> None:
        """Apply it, or drop it if it does not follow on.

        Raises:
            UnavailableError: the database did not answer for half a minute; nothing is lost.
        """
        reading = self._reader.readings.get(batch.partition)
        if reading is None or batch.epoch != reading.epoch:
            return
        if batch.first_offset != reading.expected:
            self._reader.read_again(batch.partition)
            return
        entries, refused = read_entries(batch.records)
        settlement, position = self._settle(batch, entries, reading)
        _show(batch.partition, refused, settlement)
        if reading.settled(batch, settlement, position):
            reading.end()
            self._reader.read_again(batch.partition)

    def _settle(
        self, batch: Batch, entries: list[Entry], reading: Reading
    ) -> tuple[Settlement, int]:
        failure: Exception | None = None
        for wait_s in _RETRY_AFTER_S:
            try:
                return self._sink.apply(
                    batch.partition, entries, next_offset=batch.next_offset, held=reading.held
                )
            except (OperationalError, InterfaceError, PoolTimeoutError) as error:
                failure = error
                _log.warning("database does not answer", again_in_s=wait_s, error=str(error))
                self._pause(wait_s)
        raise UnavailableError("the database does not answer; see its log") from failure


def _show(partition: int, refused: Sequence[Refused], settlement: Settlement) -> None:
    metrics.SEGMENTS_APPLIED.inc(len(settlement.applied))
    for offset, error in refused:
        why = f"offset {offset} is no segment of its place ({error}); it is passed over"
        raise_alarm(Alarm.USAGE_REFUSED, f"{USAGE_TOPIC}/{partition}", why)
    for chain, difference in settlement.differing.items():
        raise_alarm(Alarm.SEGMENT_DIFFERS, str(chain), str(difference))
    for chain, coverage in settlement.coverage.items():
        if coverage.hole is None and chain in settlement.healed:
            clear_alarm(Alarm.COVERAGE_HOLE, str(chain))
        elif coverage.hole is not None and chain in settlement.held:
            raise_alarm(Alarm.COVERAGE_HOLE, str(chain), coverage.hole)
