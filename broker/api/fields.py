"""Fields of requests, each with the rule that OpenAPI shows and the API holds it to."""

import re
from typing import Annotated, Any

from fastapi import Path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from broker.domain.names import SLUG_LENGTH_MAX, check_slug, split_id
from broker.errors import InvalidFieldError

_SLUG = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
# What moves a terminal or cannot be seen: controls (Cc), format characters (Cf: marks of direction,
# zero widths, tags), separators of lines.
_HIDDEN = (
    r"\x7F-\x9F\u00AD\u0600-\u0605\u061C\u06DD\u070F\u0890\u0891\u08E2\u180E\u200B-\u200F"
    r"\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB"
) + "".join(
    # As themselves: the notations of regular expressions differ past U+FFFF.
    f"{chr(first)}-{chr(last)}"
    for first, last in (
        (0x110BD, 0x110BD),
        (0x110CD, 0x110CD),
        (0x13430, 0x1343F),
        (0x1BCA0, 0x1BCA3),
        (0x1D173, 0x1D17A),
        (0xE0000, 0xE007F),
    )
)
_ONE = rf"[^\x00-\x1F{_HIDDEN}]"
_LINE = rf"^{_ONE}*[^\x00-\x1F{_HIDDEN}\s]{_ONE}*$"
_LINE_OR_NOTHING = rf"^({_LINE[1:-1]})?$"
_TEXT = rf"^[^\x00-\x08\x0B\x0C\x0E-\x1F{_HIDDEN}]*$"


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


def _text(length_min: int, length_max: int, pattern: str, what: str) -> Any:
    """A string of this pattern; whoever sends another is told `what` it must be."""
    read = re.compile(pattern)

    def check(value: str) -> str:
        if not read.fullmatch(value):
            rule = f"must be {what}, without control or invisible characters"
            raise PydanticCustomError("text", "{rule}", {"rule": rule})
        return value

    return Annotated[
        str,
        StringConstraints(min_length=length_min, max_length=length_max),
        AfterValidator(check),
        Field(json_schema_extra={"pattern": pattern}),
    ]


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
Line = _text(1, 200, _LINE, "one line in which something can be read")
Text = _text(0, 4000, _TEXT, "text")
Reason = _text(0, 500, _LINE_OR_NOTHING, "empty, or one line in which something can be read")
GivenReason = _text(1, 500, _LINE, "one line in which something can be read")

OrganisationPath = Annotated[Slug, Path(description="The organisation's slug.")]
NamePath = Annotated[Slug, Path(description="The object's own slug.")]
VersionPath = Annotated[int, Path(ge=1, le=1000, description="Number of the version.")]
