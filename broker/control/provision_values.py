"""What should be in Kafka, what is there, and how the two differ: frozen values, no client.

PostgreSQL ──provision_desired──▶ Desired ─┐
                                           ├─ provision_plan ──▶ Drift ──▶ provision_apply
Kafka ─────provision_observed──▶ Observed ─┘
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

TopicKind: TypeAlias = Literal["control", "usage", "product", "quarantine", "delivery"]
# Every topic of ours begins with one of these.
OURS = ("product.", "delivery.", "quarantine.", "weir.")
Operation: TypeAlias = Literal["read", "write", "describe"]
Resource: TypeAlias = Literal["topic", "group", "transactional_id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedTopic:
    """A topic as it should be.

    Args:
        name: its name.
        kind: what it is for.
        partitions: how many it should have.
        config: what we care about; all other settings are the broker's own.
        topic_id: its UUID where it is known; a topic of another id is another topic.
        existed: it must not be made (again): what pointed into it would point into an empty one.
            Delivery and quarantine topics are made again, and what they held is `Lost`.
    """

    name: str
    kind: TopicKind
    partitions: int
    config: Mapping[str, str]
    topic_id: str | None = None
    existed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTopic:
    """A topic as Kafka reports it."""

    partitions: int
    topic_id: str
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One permission. `prefixed`: for every name that begins with `name`."""

    principal: str
    resource: Resource
    name: str
    operation: Operation
    prefixed: bool = False

    def __str__(self) -> str:
        names = f"{self.name}*" if self.prefixed else self.name
        return f"{self.principal} may {self.operation} {self.resource} {names}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A topic that may go once what it holds is beyond its retention.

    Args:
        topic: its name.
        topic_id: its UUID where it is known; another topic of that name stays.
        product: where it is the topic of a product that has not ended, which; it ends first.
    """

    topic: str
    topic_id: str | None = None
    product: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An object that waits for its topics.

    Args:
        object_id: product or subscription.
        act: what is said of it when they are confirmed.
        topics: name to the number of partitions it must have.
    """

    object_id: str
    act: Literal["publish", "raise", "activate"]
    topics: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What a topic held that was removed from outside; nobody has acknowledged it.

    Args:
        topic: its name.
        topic_id: its UUID; the topic of that name is another one now.
        kind: what it was for.
        holder: whose it was, e.g. `subscription grid/forecast`.
        at: when it was seen to be gone.
    """

    topic: str
    topic_id: str
    kind: Literal["delivery", "quarantine"]
    holder: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What PostgreSQL asks of Kafka.

    Args:
        topics: by name.
        acls: all that organisations' accounts may do.
        active: principals of accounts.
        deleted: principals of accounts that were deleted.
        products: product id of each product topic whose id is known and which has not ended.
        after: topics that a product's topic must not outgrow, by that topic.
        endings: topics that may go when they are empty.
        waiting: who waits for topics.
        ended: products whose topic was removed from outside and which are not retired yet.
        lost: what is gone with delivery and quarantine topics.
    """

    topics: Mapping[str, WantedTopic]
    acls: frozenset[Acl]
    active: frozenset[str]
    deleted: frozenset[str]
    products: Mapping[str, str]
    after: Mapping[str, tuple[str, ...]]
    endings: tuple[Ending, ...]
    waiting: tuple[Waiting, ...]
    ended: tuple[str, ...] = ()
    lost: tuple[Lost, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What Kafka reports. `foreign_acls`: shown words of those we could not have made."""

    topics: Mapping[str, FoundTopic]
    acls: frozenset[Acl]
    foreign_acls: tuple[str, ...]
    users: frozenset[str]
    empty: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CreateTopic:
    """Make a topic."""

    topic: WantedTopic


@dataclass(frozen=True, slots=True)
class RaisePartitions:
    """Give a topic more partitions."""

    topic: str
    partitions: int


@dataclass(frozen=True, slots=True)
class SetConfig:
    """Set a topic's configuration."""

    topic: str
    config: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DeleteTopic:
    """Remove a topic for good."""

    topic: str


@dataclass(frozen=True, slots=True)
class AddAcl:
    """Allow something."""

    acl: Acl


@dataclass(frozen=True, slots=True)
class DropAcl:
    """No longer allow it."""

    acl: Acl


@dataclass(frozen=True, slots=True)
class BarUser:
    """Give a SCRAM user a password that nobody knows; see `provision_users`."""

    principal: str


@dataclass(frozen=True, slots=True)
class EndProduct:
    """Tell routers that a product's topic is gone."""

    product: str


Action: TypeAlias = (
    DropAcl
    | BarUser
    | CreateTopic
    | RaisePartitions
    | SetConfig
    | AddAcl
    | EndProduct
    | DeleteTopic
)

# Cut off before anything new is allowed, ACLs before credentials: Kafka cuts a connected client by
# its ACLs within milliseconds, by its credential only when it has to prove itself again.
ORDER: tuple[type[Action], ...] = (
    DropAcl,
    BarUser,
    CreateTopic,
    RaisePartitions,
    SetConfig,
    AddAcl,
    EndProduct,
    DeleteTopic,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing in Kafka that is not as it should be.

    Args:
        what: e.g. `topic delivery.grid.forecast`.
        state: missing; foreign (nobody here asked for it); differs; obsolete (no longer wanted).
        detail: wanted and found, and what is done or must be done.
        action: what heals it; None where only an operator can.
        alarm: it must be seen, whether or not something heals it.
    """

    what: str
    state: Literal["missing", "foreign", "differs", "obsolete"]
    detail: str
    action: Action | None = None
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Drift:
    """All differences, in the order in which they are healed."""

    differences: tuple[Difference, ...]

    @property
    def actions(self) -> tuple[Action, ...]:
        """What heals them, in order."""
        return tuple(one.action for one in self.differences if one.action is not None)

    @property
    def unsettled(self) -> frozenset[str]:
        """Topics of which something is still to be done."""
        names = set()
        for action in self.actions:
            match action:
                case CreateTopic(wanted):
                    names.add(wanted.name)
                case RaisePartitions(topic) | SetConfig(topic):
                    names.add(topic)
                case AddAcl(acl):
                    names.add(acl.name)
        return frozenset(names)

    def to_json(self) -> list[dict[str, object]]:
        """One object a difference."""
        return [
            {
                "what": one.what,
                "state": one.state,
                "detail": one.detail,
                "healable": one.action is not None,
            }
            for one in self.differences
        ]
