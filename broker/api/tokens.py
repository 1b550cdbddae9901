"""`/v1/organisations/{organisation}/tokens`: bearer tokens, shown once."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field

from broker.api.calls import CallDep
from broker.api.fields import WHOLE, Body, Line, OrganisationPath, View
from broker.api.idempotency import Created, OnceDep
from broker.api.pages import Page, WantedDep
from broker.api.problems import declared
from broker.control import tokens
from broker.control.tokens import Token

router = APIRouter(prefix="/v1/organisations/{organisation}/tokens", tags=["tokens"])

_LIFETIME_MAX_S = 10 * 366 * 24 * 60 * 60
TokenPath = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="The token's id.")]


class NewToken(Body):
    """A token to make."""

    name: Line = Field(description="What you will know it by.")
    lifetime_s: Annotated[int, Field(ge=1, le=_LIFETIME_MAX_S), WHOLE] | None = Field(
        default=None, description="null: until revoked."
    )


class TokenView(View):
    """What may be shown of a token at any time."""

    id: str
    organisation: str
    name: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None


class NewTokenView(TokenView):
    """A token as it is shown once."""

    token: str = Field(description="Send it as `Authorization: Bearer`; it is not shown again.")


@router.post("", status_code=201, response_model=NewTokenView, responses=declared(404, 409))
def create_token(
    organisation: OrganisationPath,
    body: NewToken,
    call: CallDep,
    once: OnceDep,
) -> Response:
    """Make a token. It stands in this answer and nowhere else."""

    def make() -> Created:
        now = call.now
        ends = None if body.lifetime_s is None else now + timedelta(seconds=body.lifetime_s)
        made, secret = tokens.create(
            call.session, organisation, name=body.name, expires_at=ends, by=call.actor, now=now
        )
        shown = TokenView.model_validate(made).model_dump()
        view = NewTokenView(**shown, token=secret)
        return Created(view, f"/v1/organisations/{organisation}/tokens/{made.id}")

    return once(body, make)


@router.get("", response_model=Page[TokenView], responses=declared(404))
def list_tokens(organisation: OrganisationPath, call: CallDep, wanted: WantedDep) -> dict[str, Any]:
    """Tokens, revoked ones included."""
    found = tokens.search(
        call.session, organisation, by=call.actor, after=wanted.after, limit=wanted.fetch
    )
    return wanted.page(found, key=lambda one: one.id)


@router.delete("/{token}", response_model=TokenView, responses=declared(404))
def revoke_token(
    organisation: OrganisationPath,
    token: TokenPath,
    call: CallDep,
) -> Token:
    """End a token at once; a second time changes nothing."""
    return tokens.revoke(call.session, organisation, token, by=call.actor, now=call.now)
