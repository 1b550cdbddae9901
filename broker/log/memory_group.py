"""A consumer group in memory, with the semantics of KIP-848 that exactly-once rests on.

    join ─▶ target changes, group epoch + 1 ─▶ owner revokes in its poll ─▶ new owner is assigned

A partition moves only after its owner has let go of it (or was evicted). Each owned partition
remembers the member epoch it was assigned under; offsets sent with an older epoch are accepted for
partitions held since then, and refused for moved and for moved-and-returned ones. Offsets sent
with the member's *present* epoch are accepted for any partition: Kafka does so, and this is why a
batch must keep the metadata it was polled under.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from broker.errors import LogAbortableError
from broker.log.ports import Committed, TopicPartition


@dataclass(frozen=True, slots=True)
class MemoryGroupMetadata:
    """The group, the member and the epoch it had when this was taken."""

    group: str
    member: str
    epoch: int


@dataclass(slots=True, eq=False)
class Member:
    """A member as the group knows it: its topics, its epoch, and what it owns since which epoch."""

    topics: tuple[str, ...]
    epoch: int = 0
    owned: dict[TopicPartition, int] = field(default_factory=dict)


class Group:
    """Members, target assignment and committed offsets of one group."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.epoch = 0
        self.members: dict[str, Member] = {}
        self.committed: dict[TopicPartition, Committed] = {}
        self.pending: dict[TopicPartition, int] = {}  # open transactions that hold its offset
        self._target: dict[TopicPartition, str] = {}

    def join(self, member: str, topics: Sequence[str]) -> None:
        """Add the member, or change its topics. The target follows in `rebalance`."""
        known = self.members.get(member)
        if known is None:
            self.members[member] = Member(tuple(topics))
        else:
            known.topics = tuple(topics)

    def leave(self, member: str) -> None:
        """Take the member out; what it owned is free at once."""
        self.members.pop(member, None)

    def rebalance(self, partitions: Mapping[str, int]) -> None:
        """Compute the target anew; a change raises the group epoch.

        Args:
            partitions: of each existing topic, how many it has.
        """
        target = _target(self.members, partitions, self._target)
        if target != self._target or any(m.epoch == 0 for m in self.members.values()):
            self._target = target
            self.epoch += 1

    def to_revoke(self, member: str) -> list[TopicPartition]:
        """What the member owns and should not."""
        return sorted(p for p in self.members[member].owned if self._target.get(p) != member)

    def release(self, member: str, partitions: Iterable[TopicPartition]) -> None:
        """The member has let go of these."""
        for partition in partitions:
            self.members[member].owned.pop(partition, None)

    def acquire(self, member: str) -> list[TopicPartition]:
        """Bring the member to the group's epoch and give it what is free for it."""
        me = self.members[member]
        me.epoch = self.epoch
        taken = {p for m in self.members.values() for p in m.owned}
        gained = sorted(
            p for p, owner in self._target.items() if owner == member and p not in taken
        )
        me.owned.update(dict.fromkeys(gained, me.epoch))
        return gained

    def check(self, metadata: MemoryGroupMetadata, partitions: Iterable[TopicPartition]) -> None:
        """Refuse offsets of a member that no longer owns what it read.

        Raises:
            LogAbortableError: the member is unknown (evicted), or an older epoch is used for a
                partition that has moved since.
        """
        member = self.members.get(metadata.member)
        if member is None:
            raise LogAbortableError(f"group {self.name}: member {metadata.member} is unknown")
        if metadata.epoch == member.epoch:
            return
        for partition in partitions:
            since = member.owned.get(partition)
            if metadata.epoch > member.epoch or since is None or since > metadata.epoch:
                raise LogAbortableError(
                    f"group {self.name}: epoch {metadata.epoch} of member {metadata.member} is "
                    f"stale for {partition.topic}[{partition.partition}]"
                )


def _target(
    members: Mapping[str, Member],
    partitions: Mapping[str, int],
    before: Mapping[TopicPartition, str],
) -> dict[TopicPartition, str]:
    """Even and sticky: keep owners, give the free to the least loaded, then level."""
    target: dict[TopicPartition, str] = {}
    load = dict.fromkeys(members, 0)
    wanted = sorted({topic for m in members.values() for topic in m.topics} & set(partitions))
    every = [TopicPartition(topic, n) for topic in wanted for n in range(partitions[topic])]
    for partition in every:
        owner = before.get(partition)
        if owner is not None and owner in members and partition.topic in members[owner].topics:
            target[partition] = owner
            load[owner] += 1
    for partition in every:
        if partition not in target:
            owner = _least(members, load, partition.topic)
            target[partition] = owner
            load[owner] += 1
    for partition in reversed(every):
        owner, other = target[partition], _least(members, load, partition.topic)
        if load[owner] > load[other] + 1:
            target[partition] = other
            load[owner] -= 1
            load[other] += 1
    return target


def _least(members: Mapping[str, Member], load: Mapping[str, int], topic: str) -> str:
    """The least loaded member that reads the topic; of equals, the one that joined first."""
    return min((m for m in members if topic in members[m].topics), key=lambda m: load[m])
