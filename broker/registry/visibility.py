"""Visibility: who may see which version of which subject, and who may write it.

A subject belongs to the organisation that its name says: `product.<organisation>.…`. A buyer sees
the subjects of the products that it is, or was, subscribed to; after the end of a subscription,
the versions that routers knew before it ended, since those are in the records that it was given.
What one may not see is absent.
"""

import re

from sqlalchemy import ColumnElement, and_, func, or_, select, true

from broker.domain.actor import Actor
from broker.domain.names import SLUG_LENGTH_MAX
from broker.errors import ForbiddenError, InvalidFieldError
from broker.store.control import ProductRow, SubscriptionHistoryRow, SubscriptionRow
from broker.store.registry import VersionRow

SUBJECT_LENGTH_MAX = 200
_SUBJECT = re.compile(r"product\.([a-z][a-z0-9]*(?:-[a-z0-9]+)*)\.[A-Za-z0-9._-]+", re.ASCII)
_ENDED = ("revoked", "expired")


def owner_of(subject: str) -> str | None:
    """The organisation that a subject belongs to, by its name alone; None for no subject of ours.

    >>> owner_of("product.acme.wind-value")
    'acme'
    """
    match = _SUBJECT.fullmatch(subject) if len(subject) <= SUBJECT_LENGTH_MAX else None
    owner = match.group(1) if match else None
    return owner if owner and len(owner) <= SLUG_LENGTH_MAX else None


def check_writable(subject: str, *, by: Actor) -> str:
    """The organisation whose subject it is.

    Raises:
        InvalidFieldError: it is no name of a subject.
        ForbiddenError: it belongs to another organisation. Says the same whether it exists or not.
    """
    owner = owner_of(subject)
    if owner is None:
        raise InvalidFieldError(
            "subject",
            f"must be product.<organisation>.<product>-value or -key, is {subject[:100]!r}; "
            "leave the subject name strategy at its default, or use TopicNameStrategy",
        )
    if not by.owns(owner):
        raise ForbiddenError(
            f"subject {subject}: is another organisation's; yours begin product.{by.organisation}."
        )
    return owner


def readable(by: Actor) -> ColumnElement[bool]:
    """Condition on VersionRow: the caller may see it."""
    if by.organisation is None:
        return true()
    return or_(
        VersionRow.subject.startswith(f"product.{by.organisation}.", autoescape=True),
        _bought(by.organisation),
    )


def _bought(organisation: str) -> ColumnElement[bool]:
    ended_seq = (
        select(func.max(SubscriptionHistoryRow.seq))
        .where(
            SubscriptionHistoryRow.subscription == SubscriptionRow.id,
            SubscriptionHistoryRow.state.in_(_ENDED),
        )
        .correlate(SubscriptionRow)
        .scalar_subquery()
    )
    return (
        select(SubscriptionRow.id)
        .join(ProductRow, ProductRow.id == SubscriptionRow.product)
        .where(
            and_(
                SubscriptionRow.organisation == organisation,
                SubscriptionRow.activated_at.is_not(None),
                or_(
                    VersionRow.subject == ProductRow.subject,
                    VersionRow.subject == func.concat(ProductRow.topic, "-key"),
                ),
                or_(
                    SubscriptionRow.state.not_in(_ENDED),
                    VersionRow.seq < ended_seq,
                ),
            )
        )
        .correlate(VersionRow)
        .exists()
    )
