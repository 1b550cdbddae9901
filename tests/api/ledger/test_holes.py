"""A missing segment stops its chain, is an alarm, and heals."""

from broker.domain.names import USAGE_TOPIC
from broker.log.ports import TopicPartition
from tests.api.ledger.world import CHAIN, Ledger, alarm, chain, write


def test_a_hole_stops_its_chain_and_heals(ledger: Ledger) -> None:
    """A missing segment stops its chain with an alarm; others go on; its arrival heals all."""
    segments = chain(6)
    write(ledger.log, [segments[0], segments[2], segments[4], *chain(2, partition=1)])
    ledger.run()
    assert len(ledger.rows("segments")) == 1 + 2
    assert "number 2 is missing" in str(ledger.holes())
    assert alarm("coverage-hole", CHAIN) == 1
    assert ledger.position() == 1  # the first segment that could not be applied
    write(ledger.log, [segments[3]])
    ledger.run()
    assert len(ledger.rows("segments")) == 3
    write(ledger.log, [segments[1]])
    ledger.run()
    assert len(ledger.rows("segments")) == 5 + 2
    assert ledger.holes() == []
    assert alarm("coverage-hole", CHAIN) == 0
    write(ledger.log, [segments[5]])
    ledger.run()
    assert len(ledger.rows("segments")) == 6 + 2


def test_a_hole_outlives_the_process(ledger: Ledger) -> None:
    """A ledger killed while a chain is stopped finds the hole again, and heals it."""
    segments = chain(3)
    write(ledger.log, [segments[0], segments[2]])
    ledger.run()
    ledger.restart()
    ledger.run()
    assert len(ledger.holes()) == 1
    write(ledger.log, [segments[1]])
    ledger.restart()
    ledger.run()
    assert ledger.holes() == []
    assert len(ledger.rows("segments")) == 3


def test_deleted_segments_are_an_alarm_and_a_hole(ledger: Ledger) -> None:
    """Where retention was faster than the ledger, the chain stops instead of going on without."""
    segments = chain(4)
    write(ledger.log, segments[:1])
    ledger.run()
    write(ledger.log, segments[1:3])
    write(ledger.log, segments[3:])
    ledger.log.trim(TopicPartition(USAGE_TOPIC, 0), 4)
    ledger.restart()
    ledger.run()
    assert alarm("usage-expired", f"{USAGE_TOPIC}/0") == 1
    assert "number 2 is missing" in str(ledger.holes())


def test_an_unreadable_record_is_passed_over(ledger: Ledger) -> None:
    """A record that cannot be decompressed is an alarm and a hole; other chains go on behind it."""
    write(ledger.log, [*chain(2), *chain(3, partition=1)])
    ledger.log.set_readable(TopicPartition(USAGE_TOPIC, 0), 1, readable=False)
    ledger.run()
    assert alarm("usage-unreadable", f"{USAGE_TOPIC}/0") == 1
    assert len(ledger.rows("segments")) == 1 + 3
    write(ledger.log, chain(3))  # repeats what was lost, and goes on
    ledger.run()
    assert len(ledger.rows("segments")) == 3 + 3
    assert ledger.holes() == []


def test_a_position_beyond_the_end_stops_with_an_alarm(ledger: Ledger) -> None:
    """Another log under the name of weir.usage is not read on from the old place, silently."""
    write(ledger.log, chain(5))
    ledger.run()
    ledger.log.recreate_topic(USAGE_TOPIC)
    write(ledger.log, chain(2, partition=1))
    ledger.restart()
    ledger.run()
    assert alarm("usage-beyond-end", f"{USAGE_TOPIC}/0") == 1
    assert len(ledger.rows("segments")) == 5
