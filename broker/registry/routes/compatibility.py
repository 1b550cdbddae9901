"""`/compatibility`: whether a schema could be added, without adding it."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session

from broker.avro.modes import Mode
from broker.registry import levels, subjects, versions
from broker.registry.answers import RegistryResponse, declared
from broker.registry.bodies import SchemaIn
from broker.registry.errors import SubjectNotFoundError
from broker.registry.services import ActorDep, SessionDep
from broker.registry.versions import Version
from broker.registry.visibility import owner_of

router = APIRouter(default_response_class=RegistryResponse, tags=["compatibility"])


@router.post("/compatibility/subjects/{subject}/versions", responses=declared(404))
def with_all(
    subject: str,
    body: SchemaIn,
    session: SessionDep,
    by: ActorDep,
    *,
    normalize: bool = False,
    verbose: bool = False,
) -> dict[str, Any]:
    """By the subject's level: with its last version, or with all if the level is transitive."""
    every = _level(session, subject).transitive
    versions.numbers_of(session, subject, by=by)
    compared = versions.compared(session, subject, by=by, every=every)
    return _judged(subject, body, session, compared, normalize=normalize, verbose=verbose)


@router.post("/compatibility/subjects/{subject}/versions/{version}", responses=declared(404))
def with_one(
    subject: str,
    version: str,
    body: SchemaIn,
    session: SessionDep,
    by: ActorDep,
    *,
    normalize: bool = False,
    verbose: bool = False,
) -> dict[str, Any]:
    """With one version alone, in the directions of the subject's level."""
    one = versions.get(session, subject, versions.parse(version), by=by)
    return _judged(subject, body, session, (one,), normalize=normalize, verbose=verbose)


def _judged(
    subject: str,
    body: SchemaIn,
    session: SessionDep,
    compared: tuple[Version, ...],
    *,
    normalize: bool,
    verbose: bool,
) -> dict[str, Any]:
    brought = body.candidate(normalize=normalize)
    found = subjects.violations(_level(session, subject), brought, compared)
    answer: dict[str, Any] = {"is_compatible": not found}
    if verbose:
        answer["messages"] = list(found)
    return answer


def _level(session: Session, subject: str) -> Mode:
    owner = owner_of(subject)
    if owner is None:
        raise SubjectNotFoundError(subject[:200])
    return levels.effective(session, owner, subject)
