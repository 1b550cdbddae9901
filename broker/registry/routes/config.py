"""`/config` and `/mode`: compatibility levels, and the one mode there is."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from broker.avro.modes import Mode
from broker.domain.actor import Actor
from broker.registry import levels, subjects, versions
from broker.registry.answers import RegistryResponse, declared
from broker.registry.bodies import LevelIn, ModeIn
from broker.registry.errors import LevelNotFoundError, SubjectNotFoundError, UnsupportedError
from broker.registry.services import ActorDep, ServicesDep, SessionDep
from broker.registry.visibility import owner_of

router = APIRouter(default_response_class=RegistryResponse, tags=["config"])

_READWRITE = {"mode": "READWRITE"}


@router.get("/config", responses=declared())
def get_general(session: SessionDep, by: ActorDep) -> dict[str, str]:
    """The level of the caller's subjects that have none of their own."""
    return _level(levels.general(session, by=by))


@router.put("/config", responses=declared())
def set_general(body: LevelIn, given: ServicesDep, by: ActorDep) -> dict[str, str]:
    """Set it."""
    body.check_supported()
    level = levels.parse(body.compatibility)
    with given.sessions.begin() as session:
        levels.set_general(session, level, by=by)
    return {"compatibility": level}


@router.delete("/config", responses=declared())
def clear_general(given: ServicesDep, by: ActorDep) -> dict[str, str]:
    """Go back to the exchange's; answers the level that held."""
    with given.sessions.begin() as session:
        return _level(levels.clear_general(session, by=by))


@router.get("/config/{subject}", responses=declared(404))
def get_own(
    subject: str,
    session: SessionDep,
    by: ActorDep,
    *,
    default: Annotated[bool, Query(alias="defaultToGlobal")] = False,
) -> dict[str, str]:
    """A subject's own level; with `defaultToGlobal`, the one that holds."""
    owner = _visible(session, subject, by)
    own = levels.of_subject(session, subject)
    if own is None and not default:
        raise LevelNotFoundError(subject)
    return _level(own or levels.effective(session, owner))


@router.put("/config/{subject}", responses=declared(403, 404))
def set_own(subject: str, body: LevelIn, given: ServicesDep, by: ActorDep) -> dict[str, str]:
    """Set a subject's own level, also before its first version."""
    body.check_supported()
    level = levels.parse(body.compatibility)
    with given.sessions.begin() as session:
        levels.set_own(subjects.locked(session, subject, by=by, now=given.clock()), level)
    return {"compatibility": level}


@router.delete("/config/{subject}", responses=declared(403, 404))
def clear_own(subject: str, given: ServicesDep, by: ActorDep) -> dict[str, str]:
    """Drop a subject's own level; answers the level that held."""
    with given.sessions.begin() as session:
        return _level(levels.clear_own(subjects.locked(session, subject, by=by, now=given.clock())))


@router.get("/mode", responses=declared())
def get_general_mode(by: ActorDep) -> dict[str, str]:  # noqa: ARG001  authenticates
    """READWRITE: the registry has no other mode."""
    return _READWRITE


@router.get("/mode/{subject}", responses=declared(404))
def get_mode(subject: str, session: SessionDep, by: ActorDep) -> dict[str, str]:
    """READWRITE, for a subject that the caller may see."""
    _visible(session, subject, by)
    return _READWRITE


@router.put("/mode", responses=declared())
@router.put("/mode/{subject}", responses=declared())
def refuse_mode(body: ModeIn, by: ActorDep, subject: str = "") -> None:  # noqa: ARG001  likewise
    """Refused: there is one mode."""
    body.refuse()


@router.delete("/mode", responses=declared())
@router.delete("/mode/{subject}", responses=declared())
def refuse_no_mode(by: ActorDep, subject: str = "") -> None:  # noqa: ARG001  authenticates, any subject
    """Refused: there is one mode."""
    raise UnsupportedError("mode", "is READWRITE and cannot be changed")


def _visible(session: Session, subject: str, by: Actor) -> str:
    owner = owner_of(subject)
    if owner is None:
        raise SubjectNotFoundError(subject[:200])
    if not by.owns(owner):
        versions.numbers_of(session, subject, by=by, deleted=True)
    return owner


def _level(level: Mode) -> dict[str, str]:
    return {"compatibilityLevel": level}
