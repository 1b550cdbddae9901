"""Reading: what is known of one partition of `weir.usage` since reading it began; no I/O.

A Faust agent that raises drops its event and is given the next, and a channel may hold batches from
before a seek. So a batch is applied only if it belongs to this reading and begins where the one
before it ended; what does not is dropped and read again from the stored position.
"""

from dataclasses import dataclass, field

from broker.ledger.coverage import ChainKey, Settlement
from broker.log.ports import Records

_ENDED = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one partition of `weir.usage`, in [first_offset, next_offset)."""

    partition: int
    epoch: int
    first_offset: int
    next_offset: int
    records: Records


@dataclass(slots=True)
class Reading:
    """One stretch of reading, begun at the stored position.

    `epoch`: 1 or more, another for each reading. `position`: as stored. `expected`: where the next
    batch must begin. `held`: per stopped chain, its first entry that could not be applied; the
    stored position stays before it. `reread_at`: the number at which a stopped chain has been read
    again already, once: after that, only a segment that arrives can help.
    """

    epoch: int
    position: int
    expected: int
    held: dict[ChainKey, int] = field(default_factory=dict)
    reread_at: dict[ChainKey, int] = field(default_factory=dict)

    def end(self) -> None:
        """Take no more batches of this reading."""
        self.epoch = _ENDED

    def settled(self, batch: Batch, settlement: Settlement, position: int) -> bool:
        """Note what became of the batch; True if the partition must be read again.

        That is so when a stopped chain has moved on (what it waited for has arrived, and what was
        held can follow), and once when a chain stops.
        """
        moved = {entry.chain for entry in settlement.applied} & self.held.keys()
        fresh = {
            chain: settlement.coverage[chain].number
            for chain in settlement.held
            if self.reread_at.get(chain) != settlement.coverage[chain].number
        }
        self.held = {**settlement.held, **self.held}
        self.reread_at |= fresh
        self.position = position
        self.expected = batch.next_offset
        return bool(moved or fresh)
