"""Pages: `offset` and `limit` as Confluent's clients send them; a limit below 0 means no limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query

from broker.registry.schemas import ID_MAX, LIST_MAX

Item = TypeVar("Item")


@dataclass(frozen=True)
class Page:
    """A part of a list; lists end at 10,000 in any case."""

    offset: int
    limit: int

    def of(self, items: Sequence[Item]) -> list[Item]:
        """The items of this page."""
        end = LIST_MAX if self.limit < 0 else self.offset + self.limit
        return list(items[self.offset : end])


def page(
    offset: Annotated[int, Query(ge=0, le=ID_MAX)] = 0,
    limit: Annotated[int, Query(ge=-1, le=ID_MAX)] = -1,
) -> Page:
    """The page that the request asks for."""
    return Page(offset, limit)


PageDep = Annotated[Page, Depends(page)]
