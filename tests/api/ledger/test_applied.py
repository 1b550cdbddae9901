"""Segments on the log in memory, applied once to a real PostgreSQL, in spite of everything."""

import time
from dataclasses import replace

from sqlalchemy import event, text

from tests.api.ledger.world import CHAIN, Ledger, alarm, chain, write


def test_committed_segments_become_usage(ledger: Ledger) -> None:
    """Segments of a committed transaction are counted, empty ones move the chain alone."""
    write(ledger.log, chain(4))
    ledger.run()
    assert ledger.usage() == {"sub-1": (30, 3000), "sub-2": (12, 1200)}
    assert len(ledger.rows("segments")) == 4
    assert ledger.position() == 5  # the commit marker included


def test_an_aborted_segment_is_never_billed(ledger: Ledger) -> None:
    """A segment in an aborted transaction is not applied; what commits after it is."""
    segments = chain(2)
    write(ledger.log, segments[:1], outcome="abort")
    ledger.run()
    assert ledger.usage() == {}
    write(ledger.log, segments)
    ledger.run()
    assert ledger.usage() == {"sub-1": (20, 2000), "sub-2": (8, 800)}


def test_a_replay_from_the_beginning_changes_nothing(ledger: Ledger) -> None:
    """All segments read a second time, empty ones included, leave every row as it was."""
    write(ledger.log, chain(7) + chain(3, partition=1) + chain(3, flow="backfill-1"))
    ledger.run()
    before = ledger.everything()
    with ledger.database.begin() as connection:
        connection.execute(text("UPDATE usage_positions SET next_offset = 0"))
    ledger.restart()
    ledger.run()
    assert ledger.everything() == before
    write(ledger.log, chain(7))
    ledger.run()
    assert ledger.everything() == before


def test_a_rewritten_segment_is_an_alarm(ledger: Ledger) -> None:
    """Another segment under an applied number changes no row and raises an alarm."""
    segments = chain(2)
    write(ledger.log, segments)
    ledger.run()
    before = ledger.everything()
    write(ledger.log, [replace(segments[0], source_records=11)])
    ledger.run()
    assert ledger.everything() == before
    assert alarm("segment-differs", CHAIN) == 1


def test_a_batch_that_does_not_follow_on_is_read_again(ledger: Ledger) -> None:
    """When Faust dropped a batch, those after it are not applied before it is."""
    ledger.reader.poll()
    write(ledger.log, chain(2))
    assert len(ledger.reader.poll()) == 1  # lost on its way to the agent
    write(ledger.log, chain(4)[2:])
    ledger.run()
    assert len(ledger.rows("segments")) == 4
    assert ledger.holes() == []


def test_ten_thousand_segments_are_replayed_in_seconds(ledger: Ledger) -> None:
    """A replay of 10,000 segments costs few statements: at most ten a batch of 500."""
    write(ledger.log, chain(10_000))
    began_s = time.monotonic()
    ledger.run()
    print(f"10,000 segments applied in {time.monotonic() - began_s:.1f} s")
    statements = []

    @event.listens_for(ledger.database, "before_cursor_execute")
    def note(*arguments: object) -> None:
        statements.append(arguments[2])

    with ledger.database.begin() as connection:
        connection.execute(text("UPDATE usage_positions SET next_offset = 0"))
    ledger.restart()
    began_s = time.monotonic()
    ledger.run()
    print(f"10,000 segments replayed in {time.monotonic() - began_s:.1f} s")
    assert len(statements) < 10 * 10_000 / 500
    assert ledger.usage()["sub-1"] == (66_670, 6_667_000)
