"""Fields of requests, each with the rule that OpenAPI shows and the API holds it to."""

from typing import Annotated

from fastapi import Path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from broker.domain.names import SLUG_LENGTH_MAX, check_slug, split_id
from broker.errors import InvalidFieldError

_SLUG = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
# Neither control characters (NUL cannot be stored) nor lone surrogates (no UTF-8).
_LINE = r"^[^\x00-\x1F\x7F]*$"
_TEXT = r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F]*$"


class Body(BaseModel):
    """A request's body: strict, no unknown field."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class View(BaseModel):
    """A response's body, read off a domain value."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def _slug(value: str) -> str:
    try:
        return check_slug("", value)
    except InvalidFieldError as error:
        raise PydanticCustomError("slug", "{rule}", {"rule": error.rule}) from error


def _object_id(value: str) -> str:
    try:
        split_id("", value)
    except InvalidFieldError as error:
        raise PydanticCustomError("object_id", "{rule}", {"rule": error.rule}) from error
    return value


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# JSON knows one kind of number: 60.0 is as whole as 60. Stands last, or pydantic loses the bounds
# on their way into the document.
WHOLE = BeforeValidator(_whole)
Slug = Annotated[
    str,
    AfterValidator(_slug),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{_SLUG}$",
            "maxLength": SLUG_LENGTH_MAX,
            "description": "Lower-case words joined by hyphens; `weir` and `weir-…` are reserved.",
        }
    ),
]
ObjectId = Annotated[
    str,
    AfterValidator(_object_id),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{_SLUG}/{_SLUG}$",
            "maxLength": 2 * SLUG_LENGTH_MAX + 1,
            "description": "`organisation/name`, each a slug of at most 40 characters.",
            "examples": ["acme/wind"],
        }
    ),
]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_LINE)]
Text = Annotated[str, StringConstraints(max_length=4000, pattern=_TEXT)]
Reason = Annotated[str, StringConstraints(max_length=500, pattern=_LINE)]
GivenReason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=_LINE)]

OrganisationPath = Annotated[Slug, Path(description="The organisation's slug.")]
NamePath = Annotated[Slug, Path(description="The object's own slug.")]
VersionPath = Annotated[int, Path(ge=1, le=1000, description="Number of the version.")]
