"""What differs between wanted and found, and what heals it, by values alone."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from broker.control import provision_topics as topics
from broker.control.provision_outlets import unkept
from broker.control.provision_plan import drift
from broker.control.provision_values import (
    Acl,
    AddAcl,
    BarUser,
    CreateTopic,
    DeleteTopic,
    Desired,
    DropAcl,
    Ending,
    EndProduct,
    FoundTopic,
    Lost,
    Observed,
    RaisePartitions,
    SetConfig,
    WantedTopic,
)

PRODUCT = topics.product_topic(
    "product.acme.wind",
    partitions=2,
    retention_ms=1_000_000,
    record_max_bytes=1_000_000,
    topic_id="id-of-wind",
)
DELIVERY = topics.delivery_topic(
    "delivery.grid.feed", partitions=2, retention_ms=3_600_000, record_max_bytes=1_000_000
)
SEEN = datetime(2026, 3, 1, tzinfo=UTC)
READ = Acl("grid.app", "topic", "delivery.grid.feed", "read")
GROUP = Acl("grid.app", "group", "grid.", "read", prefixed=True)


def wanted(*extra: WantedTopic, **changes: Any) -> Desired:
    """A product and its buyer's delivery topic, the exchange's own topics beside them."""
    every = [
        topics.control_topic(existed=True),
        topics.usage_topic(partitions=4, existed=True),
        PRODUCT,
        DELIVERY,
        *extra,
    ]
    base = Desired(
        topics={one.name: one for one in every},
        acls=frozenset({READ, GROUP}),
        active=frozenset({"grid.app"}),
        deleted=frozenset(),
        products={PRODUCT.name: "acme/wind"},
        after={PRODUCT.name: (DELIVERY.name,)},
        endings=(),
        waiting=(),
    )
    return replace(base, **changes)


def found(desired: Desired, *, without: tuple[str, ...] = (), **changes: Any) -> Observed:
    """Kafka as it is wanted, apart from the changes."""
    there = {
        name: FoundTopic(
            partitions=one.partitions, topic_id=one.topic_id or "some", config=one.config
        )
        for name, one in desired.topics.items()
        if name not in without
    }
    base = Observed(topics=there, acls=desired.acls, foreign_acls=(), users=desired.active)
    return replace(base, **changes)


def test_nothing_differs() -> None:
    """Where all is as wanted, nothing is said and nothing is done."""
    assert drift(wanted(), found(wanted())).differences == ()


def test_delivery_topic_is_made_again() -> None:
    """A delivery topic that is gone is made again, as it was."""
    found_ = found(wanted(), without=(DELIVERY.name,))

    assert drift(wanted(), found_).actions == (CreateTopic(DELIVERY),)


def test_a_removed_delivery_topic_is_made_again_and_said_to_be_lost() -> None:
    """Of a delivery topic that was there, the plan says that it was removed, and makes another."""
    known = replace(DELIVERY, topic_id="first")
    desired = wanted(known)

    (difference,) = drift(desired, found(desired, without=(known.name,))).differences

    assert difference.action == CreateTopic(known)
    assert "removed from outside" in difference.detail


def test_a_delivery_topic_of_another_id_is_only_said() -> None:
    """Somebody made a delivery topic again: it is used as it is, and what differs is set back."""
    known = replace(DELIVERY, topic_id="first")
    desired = wanted(known)
    there = found(desired)
    another = FoundTopic(partitions=1, topic_id="second", config=DELIVERY.config)

    result = drift(desired, replace(there, topics={**there.topics, known.name: another}))

    assert [one.what for one in result.differences if one.action is None] == [f"topic {known.name}"]
    assert result.actions == (RaisePartitions(known.name, 2),)


def test_what_was_lost_is_an_alarm_that_only_an_operator_ends() -> None:
    """The alarm names holder and topic, says what is lost, and how to acknowledge it."""
    kinds: tuple[tuple[Literal["delivery", "quarantine"], str], ...] = (
        ("delivery", "billed"),
        ("quarantine", "seller"),
    )
    for kind, word in kinds:
        gone = Lost(topic="t.grid", topic_id="first", kind=kind, holder="holder h", at=SEEN)
        desired = wanted(lost=(gone,))

        (difference,) = drift(desired, found(desired)).differences

        assert difference.what == "records of holder h in t.grid"
        assert difference.alarm
        assert difference.action is None
        assert word in difference.detail
        assert "weir reconcile --acknowledge t.grid" in difference.detail


def test_outlets_that_are_not_kept_yet() -> None:
    """First ids, other ids and removals are told; what is known or may go is not."""
    names = ("first", "same", "other", "removed", "over", "never")
    ids = {"same": "1", "other": "1", "removed": "1", "over": "1"}
    every = [
        replace(DELIVERY, name=f"delivery.grid.{name}", topic_id=ids.get(name)) for name in names
    ]
    desired = wanted(*every, endings=(Ending(topic="delivery.grid.over"),))
    there = {
        f"delivery.grid.{name}": FoundTopic(partitions=2, topic_id=topic_id)
        for name, topic_id in (("first", "1"), ("same", "1"), ("other", "2"))
    }
    ours = {name: FoundTopic(partitions=1, topic_id="w") for name in ("weir.control", "weir.usage")}

    seen, gone = unkept(desired, found(desired, topics={**there, **ours}))

    assert seen == {"delivery.grid.first": "1", "delivery.grid.other": "2"}
    assert gone == {"delivery.grid.removed"}
    assert unkept(desired, found(desired, topics=there)) == ({}, frozenset())


def test_product_topic_is_never_made_again() -> None:
    """A product's topic that is gone ends the product, and raises an alarm."""
    (difference,) = drift(wanted(), found(wanted(), without=(PRODUCT.name,))).differences

    assert difference.action == EndProduct("acme/wind")
    assert difference.alarm


def test_topic_of_another_id_is_another_topic() -> None:
    """A topic that was removed and made again ends the product too."""
    there = found(wanted())
    recreated = {**there.topics, PRODUCT.name: replace(there.topics[PRODUCT.name], topic_id="new")}

    assert drift(wanted(), replace(there, topics=recreated)).actions == (EndProduct("acme/wind"),)


def test_product_topic_that_was_never_there_is_made() -> None:
    """A product that is being published has no topic yet: it is made."""
    new = replace(PRODUCT, topic_id=None, existed=False)
    desired = wanted(new, products={})

    assert drift(desired, found(desired, without=(new.name,))).actions == (CreateTopic(new),)


def test_wiped_cluster_is_left_alone() -> None:
    """Without the exchange's own topics this is another cluster: nothing is made or ended."""
    for name in ("weir.control", "weir.usage"):
        nothing = found(wanted(), without=(name, PRODUCT.name, DELIVERY.name), users=frozenset())

        result = drift(wanted(), nothing)

        assert result.actions == ()
        assert [one.what for one in result.differences] == [f"topic {name}"]
        assert result.differences[0].alarm


def test_usage_is_made_before_control() -> None:
    """That weir.control was there tells that weir.usage was: so that one is made first."""
    desired = Desired(
        topics={
            one.name: one
            for one in (
                topics.usage_topic(partitions=4, existed=False),
                topics.control_topic(existed=False),
            )
        },
        acls=frozenset(),
        active=frozenset(),
        deleted=frozenset(),
        products={},
        after={},
        endings=(),
        waiting=(),
    )

    made = drift(desired, found(desired, without=("weir.usage", "weir.control"))).actions

    assert [one.topic.name for one in made if isinstance(one, CreateTopic)] == [
        "weir.usage",
        "weir.control",
    ]


def test_number_of_usage_partitions_is_kafkas() -> None:
    """Whatever weir.usage was made with is right: it is fixed for ever."""
    there = found(wanted())
    usage = replace(there.topics["weir.usage"], partitions=16)

    assert drift(wanted(), replace(there, topics={**there.topics, "weir.usage": usage})) == drift(
        wanted(), there
    )


def test_product_waits_for_its_deliveries() -> None:
    """More partitions: delivery first; the product's own only when every delivery has them."""
    more = wanted(replace(PRODUCT, partitions=3), replace(DELIVERY, partitions=3))
    before = found(wanted())

    first = drift(more, before)
    raised = {
        **before.topics,
        DELIVERY.name: replace(before.topics[DELIVERY.name], partitions=3),
    }
    second = drift(more, replace(before, topics=raised))

    assert first.actions == (RaisePartitions(DELIVERY.name, 3),)
    assert second.actions == (RaisePartitions(PRODUCT.name, 3),)


def test_partitions_that_are_too_many_are_only_said() -> None:
    """Kafka cannot take partitions away: an alarm, and nothing is done."""
    there = found(wanted())
    more = {**there.topics, DELIVERY.name: replace(there.topics[DELIVERY.name], partitions=9)}

    (difference,) = drift(wanted(), replace(there, topics=more)).differences

    assert difference.action is None
    assert difference.alarm


def test_only_what_differs_is_set() -> None:
    """A setting that was changed is set back; settings that are not ours are left."""
    there = found(wanted())
    config = {**PRODUCT.config, "message.timestamp.type": "CreateTime", "min.insync.replicas": "7"}
    changed = {**there.topics, PRODUCT.name: replace(there.topics[PRODUCT.name], config=config)}

    assert drift(wanted(), replace(there, topics=changed)).actions == (
        SetConfig(PRODUCT.name, (("message.timestamp.type", "LogAppendTime"),)),
    )


def test_deleted_account_loses_topics_then_groups_then_itself() -> None:
    """Topic ACLs cut a connected client at once, so they go first; the credential goes last."""
    desired = wanted(acls=frozenset(), active=frozenset(), deleted=frozenset({"grid.app"}))
    there = found(desired, acls=frozenset({READ, GROUP}), users=frozenset({"grid.app"}))

    assert drift(desired, there).actions == (DropAcl(READ), DropAcl(GROUP), BarUser("grid.app"))


def test_missing_rights_are_given() -> None:
    """An ACL that was removed by hand is given again."""
    assert drift(wanted(), found(wanted(), acls=frozenset({GROUP}))).actions == (AddAcl(READ),)


def test_rights_of_strangers_are_shown_and_left() -> None:
    """The exchange removes only what it may have given: the cluster can hold more than us."""
    strange = {
        Acl("monitor", "topic", "weir.usage", "read"),
        Acl("monitor", "topic", "delivery.", "read", prefixed=True),
        Acl("monitor", "topic", "deli", "read", prefixed=True),
        Acl("monitor", "topic", "*", "read"),
    }
    harmless = {
        Acl("monitor", "topic", "deliveries-of-milk", "read"),
        Acl("monitor", "group", "monitor", "read"),
    }
    there = found(wanted())

    result = drift(wanted(), replace(there, acls=there.acls | strange | harmless))

    assert result.actions == ()
    assert len(result.differences) == len(strange)
    assert all(one.state == "foreign" and one.alarm for one in result.differences)


def test_missing_user_is_said() -> None:
    """A user cannot be made again without its password: its account needs another one."""
    (difference,) = drift(wanted(), found(wanted(), users=frozenset())).differences

    assert difference.what == "user grid.app"
    assert difference.action is None
    assert "another password" in difference.detail


def test_foreign_topics_are_shown_and_left() -> None:
    """A topic under our names that nobody here wants is said, not removed."""
    there = found(wanted())
    extra = {**there.topics, "delivery.old.feed": FoundTopic(partitions=1, topic_id="x")}

    result = drift(wanted(), replace(there, topics=extra))

    assert result.actions == ()
    assert [(one.state, one.what) for one in result.differences] == [
        ("foreign", "topic delivery.old.feed")
    ]


def test_ended_delivery_goes_when_it_is_empty() -> None:
    """Past its retention a topic stays until retention has taken every record, then goes."""
    desired = wanted(endings=(Ending(topic=DELIVERY.name),))
    there = found(desired)

    assert drift(desired, there).actions == ()
    assert drift(desired, replace(there, empty=frozenset({DELIVERY.name}))).actions == (
        DeleteTopic(DELIVERY.name),
    )


def test_deleted_delivery_stays_deleted() -> None:
    """Neither the topic nor the right to read it is made again."""
    desired = wanted(endings=(Ending(topic=DELIVERY.name),))
    there = found(desired, without=(DELIVERY.name,), acls=frozenset({GROUP}))

    assert drift(desired, there).differences == ()


def test_retired_product_ends_before_its_topic_goes() -> None:
    """Routers are told first, so that they do not take the removal for an accident."""
    ending = Ending(topic=PRODUCT.name, topic_id="id-of-wind", product="acme/wind")
    desired = wanted(endings=(ending,))
    empty = found(desired, empty=frozenset({PRODUCT.name}))
    ended = wanted(products={}, endings=(replace(ending, product=None),))
    del ended.topics[PRODUCT.name]  # type: ignore[attr-defined]

    assert drift(desired, empty).actions == (EndProduct("acme/wind"),)
    assert drift(ended, empty).actions == (DeleteTopic(PRODUCT.name),)


def test_topics_leave_room_for_the_largest_record() -> None:
    """Delivery and quarantine take the product's largest record and what we add to it."""
    large = topics.delivery_topic("d", partitions=1, retention_ms=1, record_max_bytes=8_000_000)
    small = topics.delivery_topic("d", partitions=1, retention_ms=1, record_max_bytes=1_000)

    assert int(large.config["max.message.bytes"]) > 8_000_000
    assert int(small.config["max.message.bytes"]) >= 1_000_000
    for one in (PRODUCT, large):
        assert one.config["cleanup.policy"] == "delete"


def test_quarantine_is_bounded_by_bytes() -> None:
    """Kafka removes whole segments: each is small beside the bound, and takes one record."""
    one = topics.quarantine_topic(
        "q", partitions=1, retention_ms=1, bytes_max=100_000_000, record_max_bytes=8_000_000
    )

    assert one.config["retention.bytes"] == "100000000"
    assert int(one.config["max.message.bytes"]) <= int(one.config["segment.bytes"]) <= 25_000_000
