"""Idempotency-Key: a creating request that is sent twice creates once.

    first time     make the object and keep the answer, in one transaction
    again          the same answer, with `Idempotency-Replayed: true`
    other body     409

Keys belong to a token and are kept for a day. An answer may hold a secret that is shown once, so it
is stored encrypted with a key made of the token and the idempotency key: we hold neither, whoever
repeats the request sends both.
"""

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from broker.api.calls import Call, CallDep
from broker.api.etags import etag
from broker.api.services import Services
from broker.errors import ConflictError, InvalidFieldError
from broker.store.control import IdempotencyRow

_NONCE_BYTES = 12
_KEY_LENGTH_MAX = 128


@dataclass(frozen=True)
class Created:
    """What was created: its body, where it is found, its revision if it has one."""

    view: BaseModel
    location: str
    revision: int | None = None


@dataclass(frozen=True)
class Once:
    """Runs one creating request once a key."""

    call: Call
    key: str | None
    method: str
    path: str

    def __call__(self, body: BaseModel | None, make: Callable[[], Created]) -> Response:
        """The answer of `make`, now or from the first time.

        Raises:
            ConflictError: the key came with another request, or another token, before.
        """
        if self.key is None:
            return _response(_answer(make()))
        asked = self._digest(body)
        if self._is_first(asked):
            answer = _answer(make())
            stored = self.call.session.get_one(IdempotencyRow, (self.call.caller.scope, self.key))
            stored.answer = self._seal(answer)
            return _response(answer)
        stored = self.call.session.get_one(IdempotencyRow, (self.call.caller.scope, self.key))
        if stored.request_sha256 != asked:
            raise ConflictError(
                f"Idempotency-Key {self.key}: came with another request before; send a new key"
            )
        return _response(self._open(stored.answer), replayed=True)

    def _is_first(self, asked: bytes) -> bool:
        """Whether the key is new. A second request waits here for the first one's end."""
        now = self.call.now
        too_old = now - timedelta(hours=self.call.settings.idempotency_kept_h)
        self.call.session.execute(
            delete(IdempotencyRow).where(
                IdempotencyRow.scope == self.call.caller.scope,
                IdempotencyRow.key == self.key,
                IdempotencyRow.created_at < too_old,
            )
        )
        values = {
            "scope": self.call.caller.scope,
            "key": self.key,
            "request_sha256": asked,
            "answer": b"",
            "created_at": now,
        }
        added = self.call.session.execute(
            insert(IdempotencyRow)
            .values(values)
            .on_conflict_do_nothing()
            .returning(IdempotencyRow.key)
        )
        return added.first() is not None

    def _digest(self, body: BaseModel | None) -> bytes:
        text = "" if body is None else body.model_dump_json()
        return hashlib.sha256(f"{self.method} {self.path}\n{text}".encode()).digest()

    def _cipher(self) -> AESGCM:
        secret = f"weir idempotency\0{self.call.caller.token}\0{self.key}"
        return AESGCM(hashlib.sha256(secret.encode()).digest())

    def _seal(self, answer: dict[str, Any]) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher().encrypt(nonce, json.dumps(answer).encode(), None)

    def _open(self, sealed: bytes) -> dict[str, Any]:
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            opened = self._cipher().decrypt(nonce, text, None)
        except InvalidTag as error:
            # The operator's scope outlives its token; the answer was sealed with the one before.
            raise ConflictError(
                f"Idempotency-Key {self.key}: came with another token before; send a new key"
            ) from error
        answer: dict[str, Any] = json.loads(opened)
        return answer


def once(
    request: Request,
    call: CallDep,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=_KEY_LENGTH_MAX,
            pattern=r"^[!-~]+$",
            description="Any token of yours; the same one gives the same answer for a day.",
        ),
    ] = None,
) -> Once:
    """How this request is run once.

    Raises:
        InvalidFieldError: the key was sent more than once.
    """
    if len(request.headers.getlist("idempotency-key")) > 1:
        raise InvalidFieldError("Idempotency-Key", "was sent more than once; send one")
    return Once(call, key, request.method, request.url.path)


OnceDep = Annotated[Once, Depends(once)]


def purge(given: Services) -> None:
    """Forget keys that are past their time."""
    too_old = given.clock() - timedelta(hours=given.settings.idempotency_kept_h)
    with given.sessions.begin() as session:
        session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < too_old))


def _answer(created: Created) -> dict[str, Any]:
    headers = {"Location": created.location}
    if created.revision is not None:
        headers["ETag"] = etag(created.revision)
    return {"headers": headers, "body": created.view.model_dump_json()}


def _response(answer: dict[str, Any], *, replayed: bool = False) -> Response:
    headers = dict(answer["headers"])
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(answer["body"], status_code=201, media_type="application/json", headers=headers)
