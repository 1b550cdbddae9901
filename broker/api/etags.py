"""ETag and If-Match: an object's revision, so that nobody overwrites what they have not read.

Every object that has a revision is answered with its ETag. A change that sends it back as If-Match
is refused with 412 where the object has changed since; If-Match is optional, since the states of
our objects refuse what is out of place by themselves. Tokens and invoices have no revision: each
changes once, to its end, and doing that again changes nothing.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Protocol, TypeVar

from fastapi import Depends, Header, Response

from broker.errors import InvalidFieldError

_TAG = re.compile(r'"([0-9]{1,9})"', re.ASCII)


class Revised(Protocol):
    """Whatever has a revision."""

    @property
    def revision(self) -> int:
        """Rises with every change."""


Value = TypeVar("Value", bound=Revised)


def etag(revision: int) -> str:
    """The ETag of a revision."""
    return f'"{revision}"'


@dataclass(frozen=True)
class Tag:
    """Sets the ETag of the response."""

    response: Response

    def show(self, value: Value) -> Value:
        """The value, its ETag set."""
        self.response.headers["ETag"] = etag(value.revision)
        return value


@dataclass(frozen=True)
class Revision(Tag):
    """What a change needs: `expected` is the revision that the caller has read, if it says."""

    expected: int | None


def _revision(
    response: Response,
    sent: Annotated[
        str | None,
        Header(
            alias="If-Match",
            max_length=16,
            pattern=r'^(\*|"[0-9]{1,9}")$',
            description="The object's ETag, to refuse the change if it is no longer that.",
        ),
    ] = None,
) -> Revision:
    if sent is None or sent == "*":
        return Revision(response, None)
    tag = _TAG.fullmatch(sent)
    if tag is None:
        raise InvalidFieldError("If-Match", f"must be an ETag of ours or *, is {sent!r}")
    return Revision(response, int(tag.group(1)))


def _tag(response: Response) -> Tag:
    return Tag(response)


TagDep = Annotated[Tag, Depends(_tag)]
RevisionDep = Annotated[Revision, Depends(_revision)]
