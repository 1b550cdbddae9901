"""`/schemas`: by id and by GUID. Decided by entitlement to the id, never by `?subject=`.

A consumer asks with `subject=<delivery topic>-value`, which is no subject of ours.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from broker.registry import schemas, versions
from broker.registry.answers import RegistryResponse, declared
from broker.registry.bodies import TYPE
from broker.registry.errors import SchemaNotFoundError, UnsupportedError
from broker.registry.pages import PageDep
from broker.registry.routes.subjects import shown, text_answer
from broker.registry.services import ActorDep, SessionDep

router = APIRouter(default_response_class=RegistryResponse, tags=["schemas"])

# Without references, a resolved schema is the schema.
_FORMATS = ("", "resolved")
_LISTED_MAX = 1_000  # each may hold 64 KiB of text

Format = Annotated[str, Query(alias="format", max_length=40)]
Subject = Annotated[str | None, Query(alias="subject")]


@router.get("/schemas/types", responses=declared())
def list_types(by: ActorDep) -> list[str]:  # noqa: ARG001  authenticates
    """The one schema type."""
    return [TYPE]


@router.get("/schemas", responses=declared())
def list_schemas(
    session: SessionDep,
    by: ActorDep,
    page: PageDep,
    *,
    prefix: Annotated[str, Query(alias="subjectPrefix", pattern=r"^[^\x00]*$")] = "",
    deleted: bool = False,
    latest: Annotated[bool, Query(alias="latestOnly")] = False,
) -> list[dict[str, Any]]:
    """Versions of the subjects that the caller may see, the first thousand."""
    found: list[dict[str, Any]] = []
    for subject in versions.subjects(session, by=by, prefix=prefix, deleted=deleted):
        known = versions.all_of(session, subject, by=by, deleted=deleted)
        found += [shown(version) for version in (known[-1:] if latest else known)]
        if len(found) >= _LISTED_MAX:
            break
    return page.of(found[:_LISTED_MAX])


@router.get("/schemas/ids/{schema_id}", responses=declared(404))
def get_schema(
    schema_id: str,
    session: SessionDep,
    by: ActorDep,
    *,
    subject: Subject = None,  # noqa: ARG001  see the module
    format_: Format = "",
) -> dict[str, Any]:
    """The schema of an id."""
    _check_format(format_)
    found = schemas.by_id(session, _id(schema_id), by=by)
    return {"schema": found.text, "schemaType": TYPE, "guid": found.guid}


@router.get("/schemas/ids/{schema_id}/schema", responses=declared(404))
def get_schema_text(
    schema_id: str,
    session: SessionDep,
    by: ActorDep,
    *,
    subject: Subject = None,  # noqa: ARG001  see the module
    format_: Format = "",
) -> Response:
    """The schema of an id, and nothing else."""
    _check_format(format_)
    return text_answer(schemas.by_id(session, _id(schema_id), by=by).text)


@router.get("/schemas/ids/{schema_id}/subjects", responses=declared(404))
def list_subjects(
    schema_id: str,
    session: SessionDep,
    by: ActorDep,
    page: PageDep,
    *,
    subject: Subject = None,
    deleted: bool = False,
) -> list[str]:
    """Names of the subjects that use an id."""
    found = schemas.uses(session, _id(schema_id), by=by, subject=subject, deleted=deleted)
    return page.of(list(dict.fromkeys(name for name, _ in found)))


@router.get("/schemas/ids/{schema_id}/versions", responses=declared(404))
def list_versions(
    schema_id: str,
    session: SessionDep,
    by: ActorDep,
    page: PageDep,
    *,
    subject: Subject = None,
    deleted: bool = False,
) -> list[dict[str, str | int]]:
    """The versions that use an id."""
    found = schemas.uses(session, _id(schema_id), by=by, subject=subject, deleted=deleted)
    return page.of([{"subject": name, "version": number} for name, number in found])


@router.get("/schemas/guids/{guid}", responses=declared(404))
def get_schema_by_guid(
    guid: str, session: SessionDep, by: ActorDep, *, format_: Format = ""
) -> dict[str, Any]:
    """The schema of a GUID."""
    _check_format(format_)
    found = schemas.by_guid(session, guid, by=by)
    return {"schema": found.text, "schemaType": TYPE, "guid": found.guid, "id": found.id}


def _id(written: str) -> int:
    if not (written.isascii() and written.isdigit()):
        raise SchemaNotFoundError(repr(written[:40]))
    return int(written[:11])


def _check_format(format_: str) -> None:
    if format_ not in _FORMATS:
        raise UnsupportedError("format", f"must be empty or resolved, is {format_!r}")
