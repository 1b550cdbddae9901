"""Provision: Kafka follows the tables of the control plane, over and over.

    desired ─┐
             ├─▶ drift ─▶ apply ─▶ confirm in every broker's metadata ─▶ published, active
    observed ┘

Owns topics, ACLs and the removal of SCRAM users. Does not own who may what (the nouns decide).
Repeatable at any point: what a crash left undone is drift at the next turn. One of all replicas
does it, by an advisory lock.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import sessionmaker

from broker.alarms import Alarm, clear_alarm, raise_alarm
from broker.config import KafkaConfig
from broker.control import provision_confirm, provision_outlets, provision_plan, retirement
from broker.control.provision_apply import apply
from broker.control.provision_desired import desired
from broker.control.provision_kafka import Administrator
from broker.control.provision_observed import observe
from broker.control.provision_topics import USAGE_PARTITIONS_DEFAULT
from broker.control.provision_users import ScramUsers
from broker.control.provision_values import Desired, Drift, EndProduct
from broker.errors import ConflictError, LogError, UnavailableError
from broker.store.locks import PROVISION

ALARM = Alarm.KAFKA_DRIFT
_LOCK_TIMEOUT_S = 30.0
_LOCK_POLL_S = 0.05
# Changes of the tables are seen at once; changes made in Kafka behind our back, this late.
_LOOK_EVERY = timedelta(seconds=10)
_INTERVAL_S = 0.25
_RETRY_S = 2.0
# Each pass sees what the one before has done; raising partitions takes three.
_PASSES_MAX = 4


class Provisioner:
    """Keeps Kafka as the tables want it.

    Args:
        engine: the database.
        kafka: where Kafka is, as an administrator.
        usage_partitions: of `weir.usage`, when it is first made; fixed for ever then.
    """

    def __init__(
        self,
        engine: Engine,
        kafka: KafkaConfig,
        *,
        usage_partitions: int = USAGE_PARTITIONS_DEFAULT,
    ) -> None:
        self.users = ScramUsers(kafka)
        self._engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._config = kafka
        self._usage_partitions = usage_partitions
        self._kafka: Administrator | None = None
        self._settled: Desired | None = None
        self._looked_at: datetime | None = None
        self._alarms: set[str] = set()
        self._told = structlog.get_logger()

    def run(self, stop: threading.Event, *, clock: Callable[[], datetime]) -> None:
        """Take a step, again and again. Blocks until `stop` is set.

        While Kafka does not answer it says so and tries again; a database that is gone raises.
        """
        while not stop.is_set():
            try:
                self.step(clock())
                clear_alarm(ALARM, "kafka")
                stop.wait(_INTERVAL_S)
            except LogError as error:
                raise_alarm(ALARM, "kafka", str(error))
                stop.wait(_RETRY_S)

    def step(self, now: datetime) -> bool:
        """Do what the tables want, if they or Kafka may have changed.

        Returns:
            Whether everything is as wanted and nobody waits; False where another replica does it.

        Raises:
            LogError: Kafka refused something (all else is done) or does not answer; the next step
                tries again.
        """
        with self._lock(timeout_s=0) as held:
            if not held:
                return False
            wanted = self._desired(now)
            due = self._looked_at is None or now - self._looked_at >= _LOOK_EVERY
            if wanted == self._settled and not due:
                return True
            self._settled = None
            self._looked_at = now
            left, refusals = self._heal(wanted, now)
            self._raise_alarms(left)
            nobody_waits = self._confirm(wanted, left, now)
            if refusals:
                raise refusals[0]
            if left.actions or not nobody_waits:
                return False
            self._settled = wanted
            return True

    def drift(self, now: datetime) -> Drift:
        """What differs; changes nothing.

        Raises:
            LogError: Kafka does not answer.
        """
        wanted = self._desired(now)
        return provision_plan.drift(wanted, observe(self._administrator(), wanted))

    def heal(self, now: datetime) -> tuple[Drift, Drift]:
        """Heal what can be healed: the drift there was, and what is left of it.

        Raises:
            UnavailableError: another replica is at it and does not end.
            LogError: Kafka does not answer.
        """
        with self._lock(timeout_s=_LOCK_TIMEOUT_S) as held:
            if not held:
                raise UnavailableError("another process is provisioning Kafka; try again")
            before = self.drift(now)
            wanted = self._desired(now)
            left, _ = self._heal(wanted, now)
            self._confirm(wanted, left, now)
            return before, left

    def _heal(self, wanted: Desired, now: datetime) -> tuple[Drift, list[LogError]]:
        """Apply until nothing is left that can be healed, a bounded number of times.

        Returns:
            What is left, and what Kafka refused.
        """
        kafka = self._administrator()
        refusals: list[LogError] = []
        for _ in range(_PASSES_MAX):
            wanted, found = self._look(kafka, wanted, now)
            if not found.actions:
                return found, []
            for one in found.differences:
                if one.action is not None:
                    self._told.info("healing", what=one.what, state=one.state, detail=one.detail)
            refusals = apply(kafka, self.users, found.actions)
            ended = [one for one in found.actions if isinstance(one, EndProduct)]
            if ended:
                self._end(ended, wanted, now)
                wanted = self._desired(now)
            if refusals:
                break
        return self._look(kafka, wanted, now)[1], refusals

    def _look(self, kafka: Administrator, wanted: Desired, now: datetime) -> tuple[Desired, Drift]:
        """What differs; keeps which delivery and quarantine topics are there, before any is made.

        Returns:
            What is wanted with that knowledge, and the drift from it.
        """
        observed = observe(kafka, wanted)
        seen, missing = provision_outlets.unkept(wanted, observed)
        gone = provision_confirm.absent(self._config, kafka, missing)
        if seen or gone:
            with self._sessions.begin() as session:
                provision_outlets.note(session, seen, gone, now=now)
            wanted = self._desired(now)
        return wanted, provision_plan.drift(wanted, observed)

    def _end(self, actions: list[EndProduct], wanted: Desired, now: datetime) -> None:
        """Tell routers that topics are gone, if every broker agrees."""
        topics = {product: topic for topic, product in wanted.products.items()}
        for action in actions:
            topic = wanted.topics[topics[action.product]]
            is_ending = any(one.product == action.product for one in wanted.endings)
            if not is_ending and not provision_confirm.is_gone(
                self._config, self._administrator(), topic
            ):
                continue
            with self._sessions.begin() as session:
                retirement.end(session, action.product, now=now)

    def _confirm(self, wanted: Desired, left: Drift, now: datetime) -> bool:
        """Tell those that wait for topics; whether nobody waits any longer."""
        if not wanted.waiting:
            return True
        ready = [one for one in wanted.waiting if left.unsettled.isdisjoint(one.topics)]
        confirmed, ids = provision_confirm.confirmed(self._config, self._administrator(), ready)
        for one in confirmed:
            try:
                with self._sessions.begin() as session:
                    provision_confirm.tell(session, one, ids, wanted, now=now)
            except ConflictError as error:
                # Retired or revoked since: the next step sees that.
                self._told.info("not confirmed", why=str(error))
        return False

    def _raise_alarms(self, left: Drift) -> None:
        standing = {one.what: one.detail for one in left.differences if one.alarm}
        for what in self._alarms - standing.keys():
            clear_alarm(ALARM, what)
        for what in standing.keys() - self._alarms:
            raise_alarm(ALARM, what, standing[what])
        self._alarms = set(standing)

    def _desired(self, now: datetime) -> Desired:
        with self._sessions() as session:
            return desired(session, usage_partitions=self._usage_partitions, now=now)

    def _administrator(self) -> Administrator:
        if self._kafka is None:
            self._kafka = Administrator(self._config)
        return self._kafka

    @contextmanager
    def _lock(self, *, timeout_s: float) -> Iterator[bool]:
        """Hold the lock; tells whether it was to be had within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        with self._engine.connect() as raw:
            connection = raw.execution_options(isolation_level="AUTOCOMMIT")
            while not (held := _try(connection, "pg_try_advisory_lock")):
                if time.monotonic() >= deadline:
                    break
                time.sleep(_LOCK_POLL_S)
            try:
                yield held
            finally:
                if held:
                    _try(connection, "pg_advisory_unlock")


def _try(connection: Connection, function: str) -> bool:
    did: bool = connection.scalar(text(f"SELECT {function}(:lock)"), {"lock": PROVISION})
    return did
