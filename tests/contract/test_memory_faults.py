"""What the simulator does to the log in memory, and that it bites as Kafka does."""

from collections.abc import Iterator
from itertools import count

import pytest

from broker.errors import FencedError, LogAbortableError, LogTimeoutError, TopicUnwritableError
from broker.log.memory import MemoryLog, Outcome, State
from broker.log.memory_producer import MemoryProducer
from broker.log.ports import Committed, TopicPartition
from tests.contract.harness import Member, rows

TOPIC = "product.acme.wind"
PLACE = TopicPartition(TOPIC, 0)


@pytest.fixture
def memory() -> Iterator[MemoryLog]:
    ticks = count(1_000)
    log = MemoryLog(now_ms=lambda: next(ticks))
    log.create_topic(TOPIC, append_time=True)
    log.create_topic("out")
    writer = log.producer(transactional_id=None)
    writer.send(TOPIC, 0, rows(b"a", b"b"), timeout_s=1)
    return log


def _lane(memory: MemoryLog, name: str) -> tuple[Member, MemoryProducer]:
    member = Member(memory.consumer("g", instance=name))
    member.consumer.subscribe([TOPIC], member)
    producer = memory.producer(transactional_id=name)
    producer.init_transactions(timeout_s=1)
    return member, producer


def _route(producer: MemoryProducer, member: Member, *, fresh: bool, metadata: object) -> None:
    producer.begin()
    producer.send("out", 0, rows(b"a", b"b"), timeout_s=1)
    producer.flush(timeout_s=1)
    group = member.consumer.group_metadata() if fresh else metadata
    producer.send_offsets({PLACE: Committed(2, "")}, group, timeout_s=1)
    producer.commit(timeout_s=1)


@pytest.mark.parametrize(
    ("fresh", "copies"),
    [
        (False, 1),  # the batch keeps the metadata it was polled under: refused
        (True, 2),  # taken afresh after the rejoin: accepted, both copies visible
    ],
)
def test_an_evicted_worker_and_its_old_batch(
    memory: MemoryLog, *, fresh: bool, copies: int
) -> None:
    """The rule that prevents the duplicate, and the duplicate when the rule is removed."""
    zombie, its_producer = _lane(memory, "one")
    zombie.poll()
    metadata = zombie.consumer.group_metadata()
    memory.evict(zombie.consumer)
    heir, heirs_producer = _lane(memory, "two")
    heir.poll()
    _route(heirs_producer, heir, fresh=False, metadata=heir.consumer.group_metadata())
    zombie.poll()
    assert zombie.told == ["assigned", "lost"]
    zombie.poll()
    if fresh:
        _route(its_producer, zombie, fresh=True, metadata=None)
    else:
        with pytest.raises(LogAbortableError):
            _route(its_producer, zombie, fresh=False, metadata=metadata)
        its_producer.abort(timeout_s=1)
    entries = memory.entries("out")[0]
    visible = [e for e in entries if not e.marker and e.state is State.COMMITTED]
    assert len(visible) == 2 * copies


@pytest.mark.parametrize(
    ("outcome", "happened"), [(Outcome.REQUEST_LOST, False), (Outcome.ANSWER_LOST, True)]
)
def test_a_lost_call_leaves_the_outcome_unknown(
    memory: MemoryLog, outcome: Outcome, *, happened: bool
) -> None:
    """A commit that times out may have happened; a new owner of the id finds out which."""
    member, producer = _lane(memory, "one")
    member.poll()
    memory.interfere(lambda _client, verb: outcome if verb == "commit" else Outcome.DONE)
    with pytest.raises(LogTimeoutError):
        _route(producer, member, fresh=False, metadata=member.consumer.group_metadata())
    memory.interfere(None)
    memory.producer(transactional_id="one").init_transactions(timeout_s=1)
    assert (PLACE in memory.committed_offsets("g")) is happened
    assert memory.open_transactions() == []


def test_an_expired_transaction_fences_its_owner(memory: MemoryLog) -> None:
    """The broker aborts a transaction that stands too long; its owner can only be rebuilt."""
    _, producer = _lane(memory, "one")
    producer.begin()
    producer.send("out", 0, rows(b"a"), timeout_s=1)
    assert memory.expire_transaction("one")
    with pytest.raises(FencedError):
        producer.commit(timeout_s=1)
    assert [e.state for e in memory.entries("out")[0]] == [State.ABORTED] * 2


def test_an_abort_without_flush_is_fatal(memory: MemoryLog) -> None:
    """Kafka's abort without flush turns fatal in some runs; in memory always, so that it shows."""
    _, producer = _lane(memory, "one")
    producer.begin()
    producer.send("out", 0, rows(b"a"), timeout_s=1)
    with pytest.raises(FencedError):
        producer.abort(timeout_s=1)


def test_a_topic_that_turns_unwritable(memory: MemoryLog) -> None:
    """The first record fails behind our back and taints the transaction; the next is refused."""
    _, producer = _lane(memory, "one")
    producer.begin()
    producer.send("out", 0, rows(b"a"), timeout_s=1)
    memory.set_writable("out", writable=False)
    producer.send("out", 0, rows(b"b"), timeout_s=1)
    producer.flush(timeout_s=1)
    with pytest.raises(LogAbortableError):
        producer.commit(timeout_s=1)
    assert producer.unwritable([TOPIC, "out"], timeout_s=1) == ["out"]
    producer.abort(timeout_s=1)
    producer.begin()
    with pytest.raises(TopicUnwritableError):
        producer.send("out", 0, rows(b"a"), timeout_s=1)


def test_an_unreadable_record_stops_its_partition(memory: MemoryLog) -> None:
    """Reading stops before the record until the caller seeks past it."""
    memory.set_readable(PLACE, 1, readable=False)
    member, _ = _lane(memory, "one")
    (fetched,) = member.poll()
    assert (list(fetched.records.values), fetched.unreadable_at) == ([b"a"], 1)
    member.consumer.seek(PLACE, 2)
    (fetched,) = member.poll()
    assert (len(fetched.records), fetched.next_offset, fetched.at_end) == (0, 2, True)


def test_a_recreated_topic_is_read_on_silently(memory: MemoryLog) -> None:
    """Nobody is told that a topic was made anew: its id is all that tells."""
    member, _ = _lane(memory, "one")
    member.poll()
    before = memory.reader(committed=True).topic_ids([TOPIC], timeout_s=1)
    after = memory.recreate_topic(TOPIC)
    writer = memory.producer(transactional_id=None)
    writer.send(TOPIC, 0, rows(b"x", b"y", b"z"), timeout_s=1)
    (fetched,) = member.poll()
    assert (list(fetched.records.values), member.told) == ([b"z"], ["assigned"])
    assert before[TOPIC] != after


def test_a_killed_client_does_nothing_more(memory: MemoryLog) -> None:
    """Calls of a killed client fail; its transaction and membership stay until they time out."""
    member, producer = _lane(memory, "one")
    member.poll()
    producer.begin()
    producer.send("out", 0, rows(b"a"), timeout_s=1)
    memory.kill(producer)
    memory.kill(member.consumer)
    with pytest.raises(FencedError):
        producer.commit(timeout_s=1)
    assert memory.open_transactions() == ["one"]
    assert memory.owners("g") == {PLACE: member.consumer.name}
