"""Plan: desired against observed gives the drift, and what heals it. Pure.

What the exchange did not make is never removed, only shown: the cluster may hold more than us, and
an empty or restored database must not take a running exchange down.
"""

from collections.abc import Iterator, Mapping

from broker.control.provision_access import acls, users
from broker.control.provision_values import (
    ORDER,
    OURS,
    CreateTopic,
    DeleteTopic,
    Desired,
    Difference,
    Drift,
    EndProduct,
    FoundTopic,
    Lost,
    Observed,
    RaisePartitions,
    SetConfig,
    WantedTopic,
)
from broker.domain.names import CONTROL_TOPIC, USAGE_TOPIC

_LAST = len(ORDER)


def drift(desired: Desired, observed: Observed) -> Drift:
    """All differences, in the order in which they are to be healed.

    Where the exchange's own topics are gone, this is another cluster or a wiped one: that alone is
    said, and nothing is made or ended.
    """
    gone = exchange_gone(desired, observed)
    if gone:
        return Drift(tuple(_exchange_topic_gone(topic) for topic in gone))
    ending = {one.topic for one in desired.endings if one.topic in observed.empty}
    differences = [
        *acls(desired, observed),
        *users(desired, observed),
        *_topics(desired, observed, ending),
        *_endings(desired, observed, ending),
        *_foreign(desired, observed),
        *map(_ended, desired.ended),
        *map(_lost, desired.lost),
    ]
    return Drift(tuple(sorted(differences, key=_place)))


def exchange_gone(desired: Desired, observed: Observed) -> list[WantedTopic]:
    """The exchange's own topics that were there and are not."""
    return [
        topic
        for name in (CONTROL_TOPIC, USAGE_TOPIC)
        if (topic := desired.topics[name]).existed and name not in observed.topics
    ]


def _place(difference: Difference) -> int:
    return _LAST if difference.action is None else ORDER.index(type(difference.action))


def _exchange_topic_gone(topic: WantedTopic) -> Difference:
    return Difference(
        what=f"topic {topic.name}",
        state="missing",
        detail="the database says that this cluster had it, and it is not there: this is another "
        "cluster, or it was removed. It is not made anew, since what pointed into it would point "
        "into an empty one; restore the cluster. Nothing else is touched",
        alarm=True,
    )


def _ended(product: str) -> Difference:
    return Difference(
        what=f"product {product}",
        state="missing",
        detail="its topic was removed from outside, so it has ended, and the subscriptions to it "
        "have expired; its seller retires it",
        alarm=True,
    )


def _lost(lost: Lost) -> Difference:
    seen = lost.at.isoformat(timespec="seconds")
    if lost.kind == "delivery":
        what = "what was delivered before is lost to the buyer, although it was billed. Settle that"
    else:
        what = "what was refused before is lost to the seller. Tell it"
    return Difference(
        what=f"records of {lost.holder} in {lost.topic}",
        state="missing",
        detail=f"the topic was removed from outside (seen {seen}, its id was {lost.topic_id}) and "
        f"is made again, empty: {what}, then `weir reconcile --acknowledge {lost.topic}`",
        alarm=True,
    )


def _topics(desired: Desired, observed: Observed, ending: set[str]) -> Iterator[Difference]:
    ended = {one.topic for one in desired.endings}
    for wanted in desired.topics.values():
        found = observed.topics.get(wanted.name)
        if wanted.name in ending:
            continue
        if found is None:
            # One that may go any day, and did, is not made again.
            if wanted.name not in ended or wanted.existed:
                yield _missing(desired, wanted)
        elif wanted.kind == "product" and wanted.topic_id not in (None, found.topic_id):
            yield Difference(
                what=f"topic {wanted.name}",
                state="differs",
                detail=f"is {found.topic_id}, the product's was {wanted.topic_id}: it was removed "
                "and made again from outside; the product ends, and its name is not used again",
                action=EndProduct(desired.products[wanted.name]),
                alarm=True,
            )
        else:
            if wanted.topic_id not in (None, found.topic_id):
                yield Difference(
                    what=f"topic {wanted.name}",
                    state="differs",
                    detail=f"is {found.topic_id}, was {wanted.topic_id}: it was removed and made "
                    "again from outside; what it held is lost",
                )
            yield from _partitions(desired, observed, wanted, found)
            yield from _config(wanted, found.config)


def _missing(desired: Desired, wanted: WantedTopic) -> Difference:
    what = f"topic {wanted.name}"
    if not wanted.existed:
        detail = f"is made with {wanted.partitions} partitions"
        if wanted.topic_id is not None:
            detail = f"was removed from outside; {detail}, empty: what it held is lost"
        return Difference(what=what, state="missing", detail=detail, action=CreateTopic(wanted))
    return Difference(
        what=what,
        state="missing",
        detail="was removed from outside. It is never made again under this name: consumers would "
        "read on from their old offsets; the product ends, its seller may draft another",
        action=EndProduct(desired.products[wanted.name]),
        alarm=True,
    )


def _partitions(
    desired: Desired, observed: Observed, wanted: WantedTopic, found: FoundTopic
) -> Iterator[Difference]:
    # Routers take the number of weir.usage from Kafka; whatever it was made with is right.
    if found.partitions == wanted.partitions or wanted.kind == "usage":
        return
    what = f"partitions of {wanted.name}"
    counts = f"has {found.partitions}, wanted are {wanted.partitions}"
    if found.partitions > wanted.partitions:
        detail = f"{counts}; Kafka cannot take partitions away"
        yield Difference(what=what, state="differs", detail=detail, alarm=True)
        return
    lacking = [
        name
        for name in desired.after.get(wanted.name, ())
        if name not in observed.topics or observed.topics[name].partitions < wanted.partitions
    ]
    if lacking:
        # Raised first, a record of the new partition would have nowhere to go.
        detail = f"{counts}; waits for {', '.join(lacking)}"
        yield Difference(what=what, state="differs", detail=detail)
        return
    yield Difference(
        what=what,
        state="differs",
        detail=counts,
        action=RaisePartitions(wanted.name, wanted.partitions),
    )


def _config(wanted: WantedTopic, found: Mapping[str, str]) -> Iterator[Difference]:
    wrong = {key: value for key, value in sorted(wanted.config.items()) if found.get(key) != value}
    if wrong:
        words = "; ".join(
            f"{key} is {found.get(key, 'unset')}, wanted is {value}" for key, value in wrong.items()
        )
        yield Difference(
            what=f"settings of {wanted.name}",
            state="differs",
            detail=words,
            action=SetConfig(wanted.name, tuple(wrong.items())),
        )


def _endings(desired: Desired, observed: Observed, ending: set[str]) -> Iterator[Difference]:
    for one in desired.endings:
        found = observed.topics.get(one.topic)
        if one.topic not in ending or found is None:
            continue
        if one.topic_id is not None and found.topic_id != one.topic_id:
            continue
        what, detail = f"topic {one.topic}", "its retention is over and it is empty"
        if one.product is not None:
            # First the event, then the topic: routers must not take the removal for an accident.
            detail = f"{detail}; its product ends first"
            yield Difference(
                what=what, state="obsolete", detail=detail, action=EndProduct(one.product)
            )
        else:
            yield Difference(
                what=what, state="obsolete", detail=detail, action=DeleteTopic(one.topic)
            )


def _foreign(desired: Desired, observed: Observed) -> Iterator[Difference]:
    known = set(desired.topics) | {one.topic for one in desired.endings}
    for name in sorted(observed.topics):
        if name.startswith(OURS) and name not in known:
            yield Difference(
                what=f"topic {name}",
                state="foreign",
                detail="no product or subscription has this topic; remove it by hand if it is not "
                "needed",
            )
