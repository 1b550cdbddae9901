"""`/v1/organisations`: the companies on the exchange."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response

from broker.api.calls import CallDep
from broker.api.etags import RevisionDep, TagDep
from broker.api.fields import Body, Line, OrganisationPath, Slug, View
from broker.api.idempotency import Created, OnceDep
from broker.api.pages import Page, WantedDep
from broker.api.problems import declared
from broker.control import organisations
from broker.control.organisations import Organisation

router = APIRouter(prefix="/v1/organisations", tags=["organisations"])


class NewOrganisation(Body):
    """A company to let in."""

    id: Slug
    name: Line


class OrganisationChange(Body):
    """What may change."""

    name: Line


class OrganisationView(View):
    """A company on the exchange."""

    id: str
    name: str
    created_at: datetime
    created_by: str
    revision: int


@router.post("", status_code=201, response_model=OrganisationView, responses=declared(403, 409))
def create_organisation(
    body: NewOrganisation,
    call: CallDep,
    once: OnceDep,
) -> Response:
    """Let a company in. Operator only."""

    def make() -> Created:
        created = organisations.create(
            call.session, body.id, name=body.name, by=call.actor, now=call.now
        )
        view = OrganisationView.model_validate(created)
        return Created(view, f"/v1/organisations/{created.id}", created.revision)

    return once(body, make)


@router.get("", response_model=Page[OrganisationView], responses=declared())
def list_organisations(call: CallDep, wanted: WantedDep) -> dict[str, Any]:
    """Your own organisation; for the operator, all."""
    found = organisations.search(
        call.session, by=call.actor, after=wanted.after, limit=wanted.fetch
    )
    return wanted.page(found, key=lambda one: one.id)


@router.get("/{organisation}", response_model=OrganisationView, responses=declared(404))
def read_organisation(organisation: OrganisationPath, call: CallDep, tags: TagDep) -> Organisation:
    """One organisation."""
    return tags.show(organisations.get(call.session, organisation, by=call.actor))


@router.patch("/{organisation}", response_model=OrganisationView, responses=declared(404, 412))
def change_organisation(
    organisation: OrganisationPath,
    body: OrganisationChange,
    call: CallDep,
    tags: RevisionDep,
) -> Organisation:
    """Change the name it is shown by."""
    changed = organisations.rename(
        call.session, organisation, name=body.name, by=call.actor, if_revision=tags.expected
    )
    return tags.show(changed)
