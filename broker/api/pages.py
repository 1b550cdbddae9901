"""Cursor pages: at most 200 items, the next page by an opaque cursor of the same list.

A cursor holds the key after which to go on, and a checksum over it, the list, its filters and the
organisation: one of another list, or an altered one, is refused by name. It holds no secret.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query, Request
from pydantic import BaseModel

from broker.api.security import CallerDep
from broker.control.rows import PAGE_MAX
from broker.errors import InvalidFieldError

_CHECKSUM_BYTES = 8
_CURSOR_LENGTH_MAX = 256
_KEY = re.compile(rb"[ -~]+")  # ids, numbers and moments are printable ASCII
INTEGER_MAX = 2**31 - 1  # what a column of the type holds
BIGINT_MAX = 2**63 - 1
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """Some items; `next_cursor` is null on the last page."""

    items: list[Item]
    next_cursor: str | None


@dataclass(frozen=True)
class Wanted:
    """Which page is asked for: up to `limit` items whose key comes after `after`."""

    scope: str
    after: str
    limit: int

    @property
    def fetch(self) -> int:
        """How many to read: one more tells whether there is a next page."""
        return self.limit + 1

    def after_number(self, maximum: int) -> int:
        """The key, for lists in the order of a number up to `maximum`, which its column holds.

        Raises:
            InvalidFieldError: it is none, or past the maximum.
        """
        if not self.after:
            return 0
        if not _NUMBER.fullmatch(self.after) or int(self.after) > maximum:
            raise InvalidFieldError("cursor", "is not one of this list; begin without it")
        return int(self.after)

    def page(self, found: Sequence[Any], key: Callable[[Any], object]) -> dict[str, Any]:
        """The page's body, of what `fetch` brought."""
        items = list(found[: self.limit])
        more = len(found) > self.limit
        return {
            "items": items,
            "next_cursor": encode_cursor(self.scope, str(key(items[-1]))) if more else None,
        }


def encode_cursor(scope: str, after: str) -> str:
    """A cursor of the list `scope`, behind the item with key `after`."""
    text = after.encode()
    return base64.urlsafe_b64encode(_checksum(scope, text) + text).decode().rstrip("=")


def decode_cursor(scope: str, cursor: str) -> str:
    """The key in a cursor.

    Raises:
        InvalidFieldError: it is no cursor of this list.
    """
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidFieldError("cursor", "is not one of ours; begin without it") from error
    checksum, text = data[:_CHECKSUM_BYTES], data[_CHECKSUM_BYTES:]
    # Anybody can compute the checksum: what it holds is as foreign as any other input.
    if checksum != _checksum(scope, text) or not _KEY.fullmatch(text):
        raise InvalidFieldError("cursor", "is not one of this list; begin without it")
    return text.decode("ascii")


def wanted(
    request: Request,
    who: CallerDep,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX, description="At most so many items.")] = 50,
    cursor: Annotated[
        str | None,
        Query(
            max_length=_CURSOR_LENGTH_MAX,
            description="`next_cursor` of the page before, of the same list.",
        ),
    ] = None,
) -> Wanted:
    """Which page of this list is asked for.

    Raises:
        InvalidFieldError: the cursor is not one of this list.
    """
    filters = sorted(
        (name, value)
        for name, value in request.query_params.multi_items()
        if name not in {"limit", "cursor"}
    )
    scope = f"{request.url.path} {filters} {who.actor.organisation}"
    return Wanted(scope, "" if cursor is None else decode_cursor(scope, cursor), limit)


def _checksum(scope: str, text: bytes) -> bytes:
    return hashlib.sha256(scope.encode() + b"\0" + text).digest()[:_CHECKSUM_BYTES]


WantedDep = Annotated[Wanted, Depends(wanted)]
