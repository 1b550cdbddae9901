"""Organisations, their tokens and their Kafka users."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

from broker.client.paths import word
from broker.client.reading import value_of
from broker.client.transport import Transport
from broker.client.values import Account, Organisation, Token

Role: TypeAlias = Literal["producer", "consumer", "both"]
_PATH = "/v1/organisations"


class Organisations:
    """Companies on the exchange. Every method raises `ApiError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, slug: str, *, name: str, idempotency_key: str | None = None) -> Organisation:
        """Let a company in; the operator alone may."""
        body = {"id": slug, "name": name}
        made = self._transport.post(_PATH, body, idempotency_key=idempotency_key)
        return value_of(Organisation, made)

    def list(self) -> Iterator[Organisation]:
        """Your own; for the operator, all."""
        return (value_of(Organisation, one) for one in self._transport.pages(_PATH))

    def get(self, slug: str) -> Organisation:
        """One."""
        return value_of(Organisation, self._transport.get(_organisation(slug)))


class Tokens:
    """Bearer tokens of an organisation. Every method raises `ApiError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        organisation: str,
        *,
        name: str,
        lifetime_s: int | None = None,
        idempotency_key: str | None = None,
    ) -> Token:
        """Make one; `.token` is shown in this answer and never again."""
        body = {"name": name, "lifetime_s": lifetime_s}
        path = f"{_organisation(organisation)}/tokens"
        return value_of(Token, self._transport.post(path, body, idempotency_key=idempotency_key))

    def list(self, organisation: str) -> Iterator[Token]:
        """All, revoked ones included."""
        path = f"{_organisation(organisation)}/tokens"
        return (value_of(Token, one) for one in self._transport.pages(path))

    def revoke(self, organisation: str, token_id: str) -> Token:
        """End one at once."""
        path = f"{_organisation(organisation)}/tokens/{word('token', token_id)}"
        return value_of(Token, self._transport.delete(path))


class Accounts:
    """Kafka users of an organisation. Every method raises `ApiError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        organisation: str,
        *,
        name: str,
        role: Role = "both",
        idempotency_key: str | None = None,
    ) -> Account:
        """Make one; `.password` is shown in this answer and never again."""
        body = {"name": name, "role": role}
        path = f"{_organisation(organisation)}/accounts"
        return value_of(Account, self._transport.post(path, body, idempotency_key=idempotency_key))

    def list(self, organisation: str) -> Iterator[Account]:
        """All, deleted ones included."""
        path = f"{_organisation(organisation)}/accounts"
        return (value_of(Account, one) for one in self._transport.pages(path))

    def get(self, organisation: str, name: str) -> Account:
        """One."""
        path = _account(organisation, name)
        return value_of(Account, self._transport.get(path))

    def renew_password(
        self, organisation: str, name: str, *, idempotency_key: str | None = None
    ) -> Account:
        """Give it another password; the old one stops working."""
        path = f"{_account(organisation, name)}/password"
        return value_of(Account, self._transport.post(path, idempotency_key=idempotency_key))

    def delete(self, organisation: str, name: str) -> Account:
        """End it: its rights go first, then the user, within seconds."""
        path = _account(organisation, name)
        return value_of(Account, self._transport.delete(path))


def _organisation(slug: str) -> str:
    return f"{_PATH}/{word('organisation', slug)}"


def _account(organisation: str, name: str) -> str:
    return f"{_organisation(organisation)}/accounts/{word('account', name)}"
