"""Products and plans as pure values."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from broker.domain.period import DAY_MS, FixedLength
from broker.domain.plan import PlanVersion, Terms
from broker.domain.product import Product
from broker.errors import ConflictError, InvalidFieldError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOPIC_ID = "3f0c0b1e-0000-4000-8000-000000000000"
DRAFT = Product(
    id="acme/wind",
    organisation="acme",
    title="Wind",
    description="",
    classification="internal",
    topic="product.acme.wind",
    quarantine_topic="quarantine.acme.wind",
    subject="product.acme.wind-value",
    partitions=4,
    retention_ms=92 * DAY_MS,
    quarantine_max_bytes=100_000_000,
    record_max_bytes=1_000_000,
    validation="header",
    event_time_field=None,
    state="draft",
    created_at=NOW,
    created_by="token 1",
)
PUBLISHED = DRAFT.publish().confirm(TOPIC_ID, now=NOW)
TERMS = Terms(
    price={"currency": "EUR", "model": "flat", "amount": "1"},
    period=FixedLength(60),
    delivery_retention_ms=7 * DAY_MS,
    approval="manual",
    text="",
)
VERSION = PlanVersion(
    plan="acme/basic", number=1, state="draft", terms=TERMS, created_at=NOW, created_by="token 1"
)


def test_a_product_is_published_when_its_topic_is_confirmed() -> None:
    """Publishing waits; confirming knows the topic's id and how many partitions routers see."""
    assert DRAFT.publish().state == "publishing"
    assert (PUBLISHED.state, PUBLISHED.topic_id) == ("published", TOPIC_ID)
    assert PUBLISHED.published_partitions == 4


def test_a_product_out_of_place() -> None:
    """A draft is not confirmed, a published one not published again, a retired one not changed."""
    retired = PUBLISHED.retire(now=NOW)
    for act in (
        lambda: DRAFT.confirm(TOPIC_ID, now=NOW),
        PUBLISHED.publish,
        lambda: retired.describe(title="x"),
        lambda: retired.keep_for(1),
        lambda: retired.retire(now=NOW),
        lambda: DRAFT.end(now=NOW),
        lambda: PUBLISHED.end(now=NOW).end(now=NOW),
    ):
        with pytest.raises(ConflictError):
            act()


def test_partitions_of_a_published_product_only_rise() -> None:
    """Kafka takes no partition away; a draft has none yet, so it may have fewer."""
    assert DRAFT.raise_partitions(2).partitions == 2
    assert PUBLISHED.raise_partitions(8).confirm_partitions().published_partitions == 8
    with pytest.raises(InvalidFieldError, match="partitions"):
        PUBLISHED.raise_partitions(2)
    with pytest.raises(ConflictError):
        PUBLISHED.confirm_partitions()


def test_words_left_out_stay() -> None:
    """A change of one word leaves the others."""
    changed = replace(DRAFT, description="Turbines.").describe(title="Wind farm")
    assert (changed.title, changed.description) == ("Wind farm", "Turbines.")


def test_a_published_version_is_immutable() -> None:
    """Terms can be replaced in a draft only; what is published can be withdrawn, once."""
    published = VERSION.replace_terms(TERMS).publish(now=NOW)
    withdrawn = published.withdraw()
    for act in (
        lambda: published.replace_terms(TERMS),
        lambda: published.publish(now=NOW),
        lambda: withdrawn.publish(now=NOW),
        withdrawn.withdraw,
        VERSION.withdraw,
    ):
        with pytest.raises(ConflictError, match="acme/basic version 1"):
            act()
