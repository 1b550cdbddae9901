"""Relay: control events from the outbox to `weir.control`, in seq order, one at a time.

    control_events ─▶ relay (one of all replicas holds the lock) ─▶ weir.control, partition 0

Where to go on is what the log's end holds, not what the database remembers: a crash between
publishing and marking publishes nothing twice. No transaction is used, so that none can stay open
and block every router's policy. A late retry can repeat an event byte for byte; readers accept it.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from sqlalchemy import Connection, Engine, select, text, update

from broker.alarms import Alarm, clear_alarm, raise_alarm
from broker.avro.codec import decode_event
from broker.control.outbox import CHANNEL, to_ms
from broker.domain.names import CONTROL_TOPIC
from broker.errors import ControlLogError, InvalidFieldError, LogError
from broker.log.ports import Log, Producer, TopicPartition
from broker.metrics import OUTBOX_AGE_SECONDS
from broker.store.control import ControlCounterRow, ControlEventRow
from broker.store.locks import RELAY

PARTITION = TopicPartition(CONTROL_TOPIC, 0)
ALARM = Alarm.CONTROL_LOG
# A commit wakes the relay by NOTIFY; this is how late one that got lost is found.
_WAKE_S = 0.05
_STANDBY_S = 0.5
_REPAIR_S = 5.0
_BATCH_MAX = 200
_TIMEOUT_S = 10.0


class Relay:
    """Publishes until told to stop. One instance a process; replicas stand by for the lock.

    Args:
        engine: the database; one of its connections is held throughout.
        log: where `weir.control` is.
        clock: the present, with a time zone.
    """

    def __init__(self, engine: Engine, log: Log, *, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._log = log
        self._clock = clock
        self._told = structlog.get_logger()

    def run(self, stop: threading.Event) -> None:
        """Wait for the lock, then publish. Blocks until `stop` is set.

        Raises:
            OperationalError: the database went away, and the lock with it; call again.
        """
        with self._engine.connect() as raw:
            connection = raw.execution_options(isolation_level="AUTOCOMMIT")
            while not self._locked(connection):
                if stop.wait(_STANDBY_S):
                    return
            try:
                connection.execute(text(f"LISTEN {CHANNEL}"))
                while not stop.is_set():
                    self._publish_until_refused(connection, stop)
            finally:
                # The connection goes back to the pool; the lock must not go with it.
                connection.invalidate()

    def _locked(self, connection: Connection) -> bool:
        got: bool = connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": RELAY})
        return got

    def _publish_until_refused(self, connection: Connection, stop: threading.Event) -> None:
        """Publish with one producer until stopped or Kafka refuses; then begin anew."""
        producer: Producer | None = None
        try:
            last = self._resume(connection)
            clear_alarm(ALARM, CONTROL_TOPIC)
            producer = self._log.producer(transactional_id=None)
            while not stop.is_set():
                events = _after(connection, last)
                self._measure(events)
                for seq, _, canonical in events:
                    last = self._publish(connection, producer, last, seq, canonical)
                if not events:
                    self._wait(connection)
        except ControlLogError as error:
            raise_alarm(ALARM, CONTROL_TOPIC, str(error))
            stop.wait(_REPAIR_S)
        except LogError as error:
            self._told.warning("relay begins anew", why=str(error))
            stop.wait(_STANDBY_S)
        finally:
            if producer is not None:
                producer.close(timeout_s=_TIMEOUT_S)

    def _resume(self, connection: Connection) -> int:
        """The last seq that stands in the log.

        Raises:
            ControlLogError: the database knows less than the log, or something else.
        """
        last, canonical = self._log_end()
        known = connection.scalar(select(ControlCounterRow.seq)) or 0
        if known < last:
            raise ControlLogError(
                f"{CONTROL_TOPIC} holds seq {last}, the database has given out {known}: it was "
                "set back; restore a newer backup"
            )
        stored = connection.scalar(
            select(ControlEventRow.canonical).where(ControlEventRow.seq == last)
        )
        if last and stored != canonical:
            raise ControlLogError(
                f"{CONTROL_TOPIC} and the database hold different events under seq {last}: this is "
                "another database than the one that wrote the log"
            )
        connection.execute(
            update(ControlEventRow)
            .where(ControlEventRow.seq <= last, ControlEventRow.published_at.is_(None))
            .values(published_at=self._clock())
        )
        return last

    def _log_end(self) -> tuple[int, bytes]:
        """Seq and bytes of the last event in the log; 0 and none before the first."""
        reader = self._log.reader(committed=False)
        try:
            offsets = reader.offsets(PARTITION, timeout_s=_TIMEOUT_S)
            if offsets.last_stable == 0:
                return 0, b""
            fetched = reader.read(
                PARTITION, offsets.last_stable - 1, records_max=1, timeout_s=_TIMEOUT_S
            )
        finally:
            reader.close()
        value = fetched.records.values[-1] if len(fetched.records) else None
        if value is None:
            raise ControlLogError(
                f"{CONTROL_TOPIC}: offset {offsets.last_stable - 1} holds no event; something else "
                "has written there"
            )
        try:
            return decode_event(value).seq, value
        except InvalidFieldError as error:
            raise ControlLogError(
                f"{CONTROL_TOPIC}: its last record is no event ({error})"
            ) from error

    def _publish(
        self, connection: Connection, producer: Producer, last: int, seq: int, canonical: bytes
    ) -> int:
        if seq != last + 1:
            raise ControlLogError(f"the outbox has a hole: seq {seq} follows {last}")
        # One at a time: were two in flight and the first to fail, the log would have a hole.
        receipt = producer.send_one(
            *PARTITION, key=str(seq).encode(), value=canonical, timeout_s=_TIMEOUT_S
        )
        producer.flush(timeout_s=_TIMEOUT_S)
        _ = receipt.offset  # raises if it failed
        connection.execute(
            update(ControlEventRow)
            .where(ControlEventRow.seq == seq)
            .values(published_at=self._clock())
        )
        return seq

    def _measure(self, events: Sequence[tuple[int, int, bytes]]) -> None:
        age_ms = to_ms(self._clock()) - events[0][1] if events else 0
        OUTBOX_AGE_SECONDS.set(max(age_ms, 0) / 1000)

    def _wait(self, connection: Connection) -> None:
        driver = connection.connection.driver_connection
        if driver is not None:
            for _ in driver.notifies(timeout=_WAKE_S, stop_after=1):
                return


def _after(connection: Connection, last: int) -> list[tuple[int, int, bytes]]:
    """Seq, time and bytes of the next events."""
    rows = connection.execute(
        select(ControlEventRow.seq, ControlEventRow.at_ms, ControlEventRow.canonical)
        .where(ControlEventRow.seq > last)
        .order_by(ControlEventRow.seq)
        .limit(_BATCH_MAX)
    )
    return [(row.seq, row.at_ms, row.canonical) for row in rows]
