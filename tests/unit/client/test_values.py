"""Values of the API's client, read off JSON."""

from datetime import UTC, datetime

from broker.client.reading import value_of
from broker.client.values import Account, Cutover, Offer, Token
from broker.client.values_billing import Proof

VERSION = {
    "plan": "acme/basic",
    "number": 1,
    "state": "published",
    "price": {"model": "unit"},
    "period": {"length_s": 60},
    "delivery_retention_ms": 3_600_000,
    "approval": "manual",
    "terms": "",
    "created_at": "2026-03-01T12:00:00Z",
    "created_by": "operator",
    "published_at": None,
    "revision": 1,
}


def test_offer_holds_its_plans() -> None:
    """Objects within objects are values too."""
    offer = value_of(
        Offer,
        {
            "id": "acme/wind",
            "organisation": "acme",
            "title": "Wind",
            "description": "",
            "classification": "public",
            "subject": "s",
            "partitions": 1,
            "retention_ms": 1,
            "record_max_bytes": 1,
            "validation": "header",
            "event_time_field": None,
            "published_at": "2026-03-01T12:00:00+00:00",
            "plans": [{"id": "acme/basic", "title": "Basic", "version": VERSION}],
        },
    )

    assert offer.published_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert offer.plans[0].version.price == {"model": "unit"}
    assert offer.plans[0].version.published_at is None


def test_offsets_are_numbered() -> None:
    """JSON's keys are text; partitions are numbers."""
    cutover = value_of(
        Cutover,
        {
            "subscription": "grid/feed",
            "transition": "revoke",
            "seq": 7,
            "at": "2026-03-01T12:00:00Z",
            "offsets": {"0": 12, "1": None},
            "complete": False,
        },
    )

    assert cutover.offsets == {0: 12, 1: None}


def test_proof_lists_what_is_missing() -> None:
    """A proof holds its close, and each partition that is missing."""
    close = {
        "product": "acme/wind",
        "end_ms": 1,
        "seq": 2,
        "finalise": True,
        "interim": True,
        "requested_at": "2026-03-01T12:00:00Z",
        "settled_at": None,
    }

    proof = value_of(
        Proof,
        {"close": close, "complete": False, "missing": [{"partition": 1, "why": "no segment"}]},
    )

    assert proof.close.seq == 2
    assert proof.missing[0].why == "no segment"


def test_secrets_are_not_in_a_value_s_text() -> None:
    """A token or a password is there to be taken, and in no log by accident."""
    token = value_of(
        Token,
        {
            "id": "1",
            "organisation": "acme",
            "name": "first",
            "created_at": "2026-03-01T12:00:00Z",
            "created_by": "operator",
            "expires_at": None,
            "revoked_at": None,
            "token": "hush-token",
        },
    )
    account = value_of(
        Account,
        {
            "id": "acme/edge",
            "organisation": "acme",
            "principal": "acme.edge",
            "role": "both",
            "state": "active",
            "created_at": "2026-03-01T12:00:00Z",
            "created_by": "operator",
            "deleted_at": None,
            "revision": 1,
            "password": "hush-password",
        },
    )

    assert (token.token, account.password) == ("hush-token", "hush-password")
    assert "hush" not in f"{token!r}{account!r}"
