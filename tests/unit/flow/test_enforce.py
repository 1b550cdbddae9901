"""Enforce: one rule of validity each, and who is entitled."""

from collections.abc import Sequence

import pytest

from broker.domain import events as ev
from broker.domain.policy import Policy
from broker.domain.reasons import Reason
from broker.flow.batch import Batch
from broker.flow.enforce import enforce, may_be_new
from broker.log.ports import Headers, Records, TopicPartition

SUBJECT = "product.acme.wind-value"
GOOD = b"\0\0\0\0\x01body"


def _policy(validation: ev.Validation = "header") -> Policy:
    events: list[ev.Event] = [
        ev.SchemaRegistered(SUBJECT, 1, 1, '"bytes"'),
        ev.SchemaRegistered(SUBJECT, 2, 2, '"string"'),
        ev.SchemaRegistered("other-value", 3, 1, '"bytes"'),
        ev.SchemaRetired(SUBJECT, 2),
        ev.ProductPublished(
            "acme/wind", "product.acme.wind", "id", 1, "q", SUBJECT, validation, 100
        ),
        ev.SubscriptionActivated("grid/a", "acme/wind", "delivery.grid.a", "p", 1, None, None),
        ev.SubscriptionActivated("grid/b", "acme/wind", "delivery.grid.b", "p", 1, None, None),
        ev.SubscriptionSuspended("grid/b", "acme/wind"),
    ]
    policy = Policy()
    for seq, event in enumerate(events, 1):
        policy = policy.apply(ev.ControlEvent(seq, 0, event))
    return policy


def _batch(policy: Policy, values: Sequence[bytes | None], headers: Headers | None = None) -> Batch:
    count = len(values)
    records = Records(range(count), [0] * count, [b"k"] * count, values, [headers] * count)
    product = policy.products["acme/wind"]
    place = TopicPartition("product.acme.wind", 0)
    return Batch(place, product, "records", records, 0, count, 0, 0, 0)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (GOOD, None),
        (b"\0\0\0\0\x01", None),  # a header with an empty body: its decoding is `full`'s business
        (None, None),  # a tombstone
        (b"", Reason.EMPTY_VALUE),
        (b"{}", Reason.WRONG_MAGIC_BYTE),
        (b"\x01\0\0\0\x01body", Reason.WRONG_MAGIC_BYTE),
        (b"\0", Reason.TRUNCATED_HEADER),
        (b"\0\0\0\0", Reason.TRUNCATED_HEADER),
        (b"\0\0\0\0\x63body", Reason.UNKNOWN_SCHEMA_ID),
        (b"\0\xff\xff\xff\xffbody", Reason.UNKNOWN_SCHEMA_ID),
        (b"\0\0\0\0\x03body", Reason.FOREIGN_SCHEMA_ID),
        (b"\0\0\0\0\x02body", Reason.RETIRED_SCHEMA_ID),
        (b"\0\0\0\0\x01" + bytes(94), None),  # with its key of one byte exactly 100
        (b"\0\0\0\0\x01" + bytes(95), Reason.TOO_LARGE),
    ],
)
def test_each_rule(value: bytes | None, reason: Reason | None) -> None:
    """A record that breaks a rule is refused by that rule's name; others are delivered."""
    policy = _policy()
    enforced = enforce(_batch(policy, [GOOD, value]), policy, held=frozenset())
    assert [r.reason for r in enforced.refusals] == ([] if reason is None else [reason])
    assert [len(d.records) for d in enforced.deliveries] == [2 if reason is None else 1]


def test_schema_id_in_header_has_its_own_reason() -> None:
    """A producer that writes the schema's GUID into a header is told so."""
    policy = _policy()
    headers = [("__value_schema_id", b"\x01" + bytes(16))]
    enforced = enforce(_batch(policy, [b"body"], headers), policy, held=frozenset())
    assert [r.reason for r in enforced.refusals] == [Reason.SCHEMA_ID_IN_HEADER]


def test_full_validation_decodes_to_the_last_byte() -> None:
    """With full validation a body that is cut, or followed by more, is undecodable."""
    policy = _policy("full")
    values = [b"\0\0\0\0\x01\x02x", b"\0\0\0\0\x01\x02", b"\0\0\0\0\x01\x02xy"]
    enforced = enforce(_batch(policy, values), policy, held=frozenset())
    assert [(r.index, r.reason) for r in enforced.refusals] == [
        (1, Reason.UNDECODABLE),
        (2, Reason.UNDECODABLE),
    ]


def test_only_active_subscriptions_are_entitled() -> None:
    """A suspended subscription gets nothing."""
    policy = _policy()
    enforced = enforce(_batch(policy, [GOOD]), policy, held=frozenset())
    assert [d.subscription.id for d in enforced.deliveries] == ["grid/a"]


def test_held_subscription_is_counted_as_undeliverable() -> None:
    """What a held-back subscription is entitled to is named, not produced."""
    policy = _policy()
    enforced = enforce(_batch(policy, [GOOD]), policy, held=frozenset({"grid/a"}))
    assert not enforced.deliveries
    assert [(u.subscription.id, len(u.records)) for u in enforced.undeliverable] == [("grid/a", 1)]


@pytest.mark.parametrize(("schema_id", "fresh"), [(99, True), (3, True), (2, False), (1, False)])
def test_what_a_new_event_could_change(schema_id: int, fresh: bool) -> None:  # noqa: FBT001  a case
    """Unknown and foreign ids may have been registered a moment ago; retired ones may not."""
    policy = _policy()
    value = b"\0" + schema_id.to_bytes(4) + b"body"
    enforced = enforce(_batch(policy, [value]), policy, held=frozenset())
    assert may_be_new(enforced) is fresh


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("null", ["key", "value"])
def test_null_counts_nothing(null: str, over: int, beside: bool) -> None:  # noqa: FBT001  a case
    """At the limit a record with a null key or value is valid, one byte more is too large.

    So alone as beside other records: how records were batched decides nothing.
    """
    policy = _policy()
    key, value = (None, GOOD + bytes(91 + over)) if null == "key" else (bytes(100 + over), None)
    keys = [key, b"k"] if beside else [key]
    values = [value, GOOD] if beside else [value]
    count = len(keys)
    records = Records(range(count), [0] * count, keys, values, [None] * count)
    place = TopicPartition("product.acme.wind", 0)
    batch = Batch(place, policy.products["acme/wind"], "records", records, 0, count, 0, 0, 0)
    refused = [(r.index, r.reason) for r in enforce(batch, policy, held=frozenset()).refusals]
    assert refused == [(0, Reason.TOO_LARGE)] * over
