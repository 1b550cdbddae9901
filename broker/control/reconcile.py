"""Reconcile: once and on demand, what `provision` does all the time."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from broker.config import KafkaConfig
from broker.control import provision_outlets
from broker.control.provision import Provisioner
from broker.control.provision_values import Difference, Drift
from broker.domain.actor import OPERATOR
from broker.errors import UnavailableError

_NO_DATABASE = "the database does not answer; check WEIR_DATABASE_URL and `weir status`"


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What differed, and what still does.

    `left` is the same as `drift` after a dry run.
    """

    drift: Drift
    left: Drift

    @property
    def agrees(self) -> bool:
        """Whether Kafka is as it should be."""
        return not self.left.differences

    @property
    def healed(self) -> tuple[Difference, ...]:
        """What differed and no longer does."""
        return tuple(one for one in self.drift.differences if one not in self.left.differences)


def reconcile(engine: Engine, kafka: KafkaConfig, *, dry_run: bool, now: datetime) -> Reconciled:
    """Compare PostgreSQL with Kafka and heal what can be healed.

    Args:
        engine: the database.
        kafka: where Kafka is, as an administrator.
        dry_run: change nothing.
        now: decides whose retention is over.

    Raises:
        UnavailableError: another process is at it, or the database does not answer.
        LogError: Kafka refused or does not answer.
    """
    provisioner = Provisioner(engine, kafka)
    try:
        if dry_run:
            found = provisioner.drift(now)
            return Reconciled(found, found)
        return Reconciled(*provisioner.heal(now))
    except OperationalError as error:
        raise UnavailableError(_NO_DATABASE) from error


def acknowledge(engine: Engine, topic: str, *, now: datetime) -> None:
    """Let the alarm end over what is lost with a delivery or quarantine topic.

    Raises:
        InvalidFieldError: nothing is, or it was acknowledged before.
        UnavailableError: the database does not answer.
    """
    try:
        with Session(engine) as session, session.begin():
            provision_outlets.acknowledge(session, topic, by=OPERATOR, now=now)
    except OperationalError as error:
        raise UnavailableError(_NO_DATABASE) from error
