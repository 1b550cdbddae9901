"""`/subjects`: list, register, look up, read, delete, retire."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from broker.registry import subjects, versions
from broker.registry.answers import MEDIA_TYPE, RegistryResponse, declared
from broker.registry.bodies import TYPE, SchemaIn
from broker.registry.errors import UnsupportedError
from broker.registry.pages import PageDep
from broker.registry.services import ActorDep, ServicesDep, SessionDep
from broker.registry.versions import Version

router = APIRouter(default_response_class=RegistryResponse, tags=["subjects"])


@router.get("/subjects", responses=declared())
def list_subjects(
    session: SessionDep,
    by: ActorDep,
    page: PageDep,
    *,
    prefix: Annotated[str, Query(alias="subjectPrefix", pattern=r"^[^\x00]*$")] = "",
    deleted: bool = False,
    deleted_only: Annotated[bool, Query(alias="deletedOnly")] = False,
    deleted_only_python: Annotated[bool, Query(alias="deleted_only")] = False,
) -> list[str]:
    """Names of the subjects that the caller may see."""
    only = deleted_only or deleted_only_python
    return page.of(versions.subjects(session, by=by, prefix=prefix, deleted=deleted, only=only))


@router.post("/subjects/{subject}", responses=declared(404))
def look_up(
    subject: str,
    body: SchemaIn,
    given: ServicesDep,
    by: ActorDep,
    *,
    normalize: bool = False,
    deleted: bool = False,
) -> dict[str, Any]:
    """The version that has this schema."""
    brought = body.candidate(normalize=normalize)
    with given.sessions() as session:
        found = versions.lookup(session, subject, brought, by=by, deleted=deleted)
    given.wait_published(found.seq)
    return shown(found)


@router.delete("/subjects/{subject}", responses=declared(403, 404))
def delete_subject(
    subject: str, given: ServicesDep, by: ActorDep, *, permanent: bool = False
) -> list[int]:
    """Hide the subject; its schema ids stay valid."""
    with given.sessions.begin() as session:
        return subjects.delete(session, subject, permanent=permanent, by=by, now=given.clock())


@router.get("/subjects/{subject}/versions", responses=declared(404))
def list_versions(
    subject: str,
    session: SessionDep,
    by: ActorDep,
    page: PageDep,
    *,
    deleted: bool = False,
    deleted_only: Annotated[bool, Query(alias="deletedOnly")] = False,
    deleted_only_python: Annotated[bool, Query(alias="deleted_only")] = False,
) -> list[int]:
    """Numbers of its versions."""
    only = deleted_only or deleted_only_python
    return page.of(versions.numbers_of(session, subject, by=by, deleted=deleted, only=only))


@router.post("/subjects/{subject}/versions", responses=declared(403, 404, 409))
def register(
    subject: str, body: SchemaIn, given: ServicesDep, by: ActorDep, *, normalize: bool = False
) -> dict[str, Any]:
    """Add a version, or find the one there is. Answers when routers can know of it."""
    body.check_unnumbered()
    brought = body.candidate(normalize=normalize)
    with given.sessions.begin() as session:
        added = subjects.register(session, subject, brought, by=by, now=given.clock())
    given.wait_published(added.seq)
    return {"id": added.schema_id, "version": added.number, "guid": added.guid}


@router.get("/subjects/{subject}/metadata", responses=declared())
def refuse_metadata(subject: str, by: ActorDep) -> None:  # noqa: ARG001  authenticates, any subject
    """Refused: no version has metadata to be found by."""
    raise UnsupportedError("metadata", "is not supported; ask for a version by number, or latest")


@router.get("/subjects/{subject}/versions/{version}", responses=declared(404))
def get_version(
    subject: str, version: str, given: ServicesDep, by: ActorDep, *, deleted: bool = False
) -> dict[str, Any]:
    """One version: a number, or `latest`."""
    return shown(_one(subject, version, given, by, deleted=deleted))


@router.get("/subjects/{subject}/versions/{version}/schema", responses=declared(404))
def get_version_text(
    subject: str, version: str, given: ServicesDep, by: ActorDep, *, deleted: bool = False
) -> Response:
    """The schema of one version, and nothing else."""
    return text_answer(_one(subject, version, given, by, deleted=deleted).text)


@router.get("/subjects/{subject}/versions/{version}/referencedby", responses=declared(404))
def get_referenced_by(subject: str, version: str, given: ServicesDep, by: ActorDep) -> list[int]:
    """Ids of schemas that refer to it: none, since references are refused."""
    _one(subject, version, given, by, deleted=True)
    return []


@router.delete("/subjects/{subject}/versions/{version}", responses=declared(403, 404))
def delete_version(
    subject: str, version: str, given: ServicesDep, by: ActorDep, *, permanent: bool = False
) -> int:
    """Hide one version; its schema id stays valid."""
    number = versions.parse(version)
    with given.sessions.begin() as session:
        return subjects.delete_version(
            session, subject, number, permanent=permanent, by=by, now=given.clock()
        )


@router.post("/subjects/{subject}/versions/{version}/retirement", responses=declared(403, 404, 409))
def retire_version(
    subject: str, version: str, given: ServicesDep, by: ActorDep
) -> dict[str, str | int]:
    """Ours, not Confluent's: have routers refuse new records with this version's schema."""
    number = versions.parse(version)
    with given.sessions.begin() as session:
        seq = subjects.retire(session, subject, number, by=by, now=given.clock())
    given.wait_published(seq)
    return {"subject": subject, "seq": seq}


def shown(version: Version) -> dict[str, Any]:
    """A version as clients read it."""
    return {
        "subject": version.subject,
        "version": version.number,
        "id": version.schema_id,
        "guid": version.guid,
        "schemaType": TYPE,
        "schema": version.text,
    }


def text_answer(text: str) -> Response:
    """A schema's text as the body itself."""
    return Response(text, media_type=MEDIA_TYPE)


def _one(subject: str, version: str, given: ServicesDep, by: ActorDep, *, deleted: bool) -> Version:
    number = versions.parse(version)
    with given.sessions() as session:
        found = versions.get(session, subject, number, by=by, deleted=deleted)
    # A producer may send its id at once: routers must be able to know it.
    given.wait_published(found.seq)
    return found
