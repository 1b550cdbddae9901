"""`/v1/organisations/{organisation}/accounts`: Kafka users, their password shown once."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from broker.api.calls import CallDep, ObjectPath
from broker.api.etags import RevisionDep, TagDep
from broker.api.fields import Body, OrganisationPath, Slug, View
from broker.api.idempotency import Created, OnceDep
from broker.api.pages import Page, WantedDep
from broker.api.problems import declared
from broker.control import accounts
from broker.control.accounts import Account, Role
from broker.domain.names import join_id, split_id

router = APIRouter(prefix="/v1/organisations/{organisation}/accounts", tags=["accounts"])


class NewAccount(Body):
    """A Kafka user to make."""

    name: Slug
    role: Role = Field(
        default="both",
        description="producer: may write your products; consumer: may read your deliveries.",
    )


class AccountView(View):
    """A Kafka user."""

    id: str
    organisation: str
    principal: str = Field(description="`sasl.username`.")
    role: Role
    state: Literal["active", "deleted"]
    created_at: datetime
    created_by: str
    deleted_at: datetime | None
    revision: int


class NewAccountView(AccountView):
    """A Kafka user with its password, shown once."""

    password: str = Field(description="`sasl.password` (SCRAM-SHA-512); it is not shown again.")


@router.post("", status_code=201, response_model=NewAccountView, responses=declared(404, 409))
def create_account(
    organisation: OrganisationPath,
    body: NewAccount,
    call: CallDep,
    once: OnceDep,
) -> Response:
    """Make a Kafka user. Its password stands in this answer and nowhere else."""

    def make() -> Created:
        account, password = accounts.create(
            call.session,
            join_id(organisation, body.name),
            role=body.role,
            credentials=call.credentials,
            by=call.actor,
            now=call.now,
        )
        return _created(account, password)

    return once(body, make)


@router.get("", response_model=Page[AccountView], responses=declared(404))
def list_accounts(
    organisation: OrganisationPath, call: CallDep, wanted: WantedDep
) -> dict[str, Any]:
    """Kafka users, deleted ones included: their names are never given again."""
    found = accounts.search(
        call.session, organisation, by=call.actor, after=wanted.after, limit=wanted.fetch
    )
    return wanted.page(found, key=lambda one: one.id)


@router.get("/{name}", response_model=AccountView, responses=declared(404))
def read_account(
    object_id: ObjectPath,
    call: CallDep,
    tags: TagDep,
) -> Account:
    """One Kafka user."""
    return tags.show(accounts.get(call.session, object_id, by=call.actor))


@router.post(
    "/{name}/password",
    status_code=201,
    response_model=NewAccountView,
    responses=declared(404, 409, 412),
)
def renew_password(
    object_id: ObjectPath,
    call: CallDep,
    once: OnceDep,
    tags: RevisionDep,
) -> Response:
    """Give it another password; the old one stops working for new connections."""

    def make() -> Created:
        account, password = accounts.renew_password(
            call.session,
            object_id,
            credentials=call.credentials,
            by=call.actor,
            if_revision=tags.expected,
        )
        return _created(account, password)

    return once(None, make)


@router.delete("/{name}", response_model=AccountView, responses=declared(404, 409, 412))
def delete_account(
    object_id: ObjectPath,
    call: CallDep,
    tags: RevisionDep,
) -> Account:
    """End it: its rights go first, then the user itself, within seconds."""
    deleted = accounts.delete(
        call.session, object_id, by=call.actor, now=call.now, if_revision=tags.expected
    )
    return tags.show(deleted)


def _created(account: Account, password: str) -> Created:
    shown = AccountView.model_validate(account).model_dump()
    organisation, name = split_id("id", account.id)
    return Created(
        NewAccountView(**shown, password=password),
        f"/v1/organisations/{organisation}/accounts/{name}",
        account.revision,
    )
