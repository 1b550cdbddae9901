"""One request: who asks, when, in which database transaction, about which object."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends
from sqlalchemy.orm import Session

from broker.api.fields import NamePath, OrganisationPath
from broker.api.security import Caller, CallerDep, ServicesDep
from broker.api.services import Services, Settings
from broker.control.ports import Credentials
from broker.domain.actor import Actor
from broker.domain.names import join_id


@dataclass(frozen=True)
class Call:
    """One request. `now` stays the same throughout it."""

    services: Services
    caller: Caller
    session: Session
    now: datetime

    @property
    def actor(self) -> Actor:
        """On whose behalf."""
        return self.caller.actor

    @property
    def settings(self) -> Settings:
        """What the operator set."""
        return self.services.settings

    @property
    def credentials(self) -> Credentials:
        """Where SCRAM users are made."""
        return self.services.credentials


def _call(services: ServicesDep, caller: CallerDep) -> Iterator[Call]:
    with services.sessions.begin() as session:
        yield Call(services, caller, session, services.clock())


def _object_id(organisation: OrganisationPath, name: NamePath) -> str:
    return join_id(organisation, name)


# Its scope is the function: the transaction is committed before the answer is sent.
CallDep = Annotated[Call, Depends(_call, scope="function")]
ObjectPath = Annotated[str, Depends(_object_id)]
