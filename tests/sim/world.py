"""A seeded world: real lanes on the memory log, and a scheduler that means them ill.

One seed draws everything. A worker's step is one call of its lane; between any two, others run,
records arrive, policies change, members are evicted, answers are lost and processes die.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from broker.avro.codec import encode_event
from broker.domain import events as ev
from broker.errors import WeirError
from broker.flow.lane import Lane
from broker.log.memory import MemoryLog, Outcome
from broker.log.ports import Records, TopicPartition
from tests.sim.checks import check_coverage, check_deliveries, segments
from tests.sim.model import RECORD_MAX_BYTES, Model
from tests.sim.refusals import check_refusals
from tests.sim.worker import SimClock, Worker

TOPIC = "product.acme.wind"
QUARANTINE = "quarantine.acme.wind"
PRODUCT = "acme/wind"
SUBJECT = "product.acme.wind-value"
PARTITIONS = 2
PERIODS = {"grid/all": (1_700_000_000_700, 7_000)}  # anchor and length, ms


class World:
    """Topics, workers, and the acts of fate."""

    def __init__(self, seed: int, *, workers: int, lane_class: type[Lane] = Lane) -> None:
        self.random = Random(seed)  # noqa: S311  a seed that replays, not a secret
        self.clock = SimClock()
        self.log = MemoryLog(now_ms=self.clock.now_ms)
        self.model = Model(TOPIC, QUARANTINE)
        self.trace: list[str] = [f"seed {seed}"]
        self._producer = self.log.producer(transactional_id=None)
        self._aborting = self.log.producer(transactional_id="somebody")
        self._aborting.init_transactions(timeout_s=1)
        self.log.create_topic("weir.control")
        self.log.create_topic("weir.usage", 2)
        topic_id = self.log.create_topic(TOPIC, PARTITIONS, append_time=True)
        self.log.create_topic(QUARANTINE, PARTITIONS)
        self._publish(
            ev.ProductPublished(
                PRODUCT,
                TOPIC,
                topic_id,
                PARTITIONS,
                QUARANTINE,
                SUBJECT,
                "header",
                RECORD_MAX_BYTES,
            )
        )
        self._publish(ev.SchemaRegistered(SUBJECT, 1, 1, '"bytes"'), schema_id=1)
        for name in ("grid/all", "trial/all"):
            self.log.create_topic(f"delivery.{name.replace('/', '.')}", PARTITIONS)
            self.model.delivery_topics[name] = f"delivery.{name.replace('/', '.')}"
            self.activate(name)
        self.workers = [Worker(self.log, self.clock, str(n), lane_class) for n in range(workers)]
        self._schema_id = 1
        self._ghosts: list[Any] = []

    def run(self, steps: int, acts: list[Callable[["World"], str]]) -> None:
        """So many steps, an act of fate before about every third; all is checked after each."""
        for _ in range(steps):
            if self.random.random() < 0.35:
                self.trace.append(self.random.choice(acts)(self))
            else:
                worker = self.random.choice(self.workers)
                self.trace.append(f"worker {worker.name} {worker.step()}")
            self.clock.ms += self.random.choice((1, 10, 150, 400))
            self.check()

    def settle(self) -> None:
        """Heal everything; all that was produced must be accounted for within bounded steps."""
        self.log.interfere(None)
        self._bury()
        for topic in (*self.model.delivery_topics.values(), QUARANTINE):
            self.log.set_writable(topic, writable=True)
        for open_transaction in self.log.open_transactions():
            if open_transaction == "somebody":
                self.log.expire_transaction(open_transaction)
        for _ in range(400):
            for worker in self.workers:
                self.trace.append(f"settle: worker {worker.name} {worker.step()}")
            self.clock.ms += 200
            for transactional_id in self.log.open_transactions():
                if self.random.random() < 0.05:
                    self.log.expire_transaction(transactional_id)
            if self._settled():
                self.check()
                return
        raise AssertionError(f"did not settle: {self._chains()}")

    def check(self) -> None:
        """Invariants 1 to 3, to the record, the byte and the reason."""
        chains = segments(self.log)
        check_coverage(self.log, PERIODS.values(), chains)
        check_deliveries(self.log, self.model, chains)
        check_refusals(self.log, self.model, chains)

    def reconnect(self) -> None:
        """The factory's producer starts anew, as one must after its topic was recreated."""
        self._producer = self.log.producer(transactional_id=None)

    # Acts of fate

    def produce(self) -> str:
        """A few records, most of them valid."""
        records = [self._record() for _ in range(self.random.randint(1, 6))]
        partition = self.random.randrange(PARTITIONS)
        aborted = self.random.random() < 0.2
        producer = self._producer
        if aborted:
            self._aborting = producer = self.log.producer(transactional_id="somebody")
            producer.init_transactions(timeout_s=1)
            producer.begin()
        columns = Records(
            list(range(len(records))),
            [self.clock.ms] * len(records),
            [self.random.choice((b"k", b"other", None)) for _ in records],
            records,
            [self.random.choice((None, [("trace", b"1"), ("empty", None)])) for _ in records],
        )
        producer.send(TOPIC, partition, columns, timeout_s=1)
        if aborted and self.random.random() < 0.5:
            producer.flush(timeout_s=1)
            producer.abort(timeout_s=1)
        return f"produced {len(records)} to {partition}{' and aborted' if aborted else ''}"

    def _record(self) -> bytes | None:
        payload = self.random.randbytes(6)
        known = self.random.randint(1, self._schema_id)
        values = {
            b"\0" + known.to_bytes(4) + payload: 76,
            None: 5,
            b"{" + payload: 10,
            b"\0\0": 5,
            b"": 1,
            b"\0" + known.to_bytes(4) + payload + bytes(RECORD_MAX_BYTES): 1,
            # Of an id that may be registered later.
            b"\0" + (self._schema_id + 1).to_bytes(4) + payload: 2,
        }
        return self.random.choices(list(values), list(values.values()))[0]

    def register(self) -> str:
        """A new schema id, and at once a record that uses it."""
        self._schema_id += 1
        self._publish(
            ev.SchemaRegistered(SUBJECT, self._schema_id, self._schema_id, '"bytes"'),
            schema_id=self._schema_id,
        )
        return f"registered {self._schema_id}"

    def activate(self, name: str) -> None:
        """Deliver to this subscription."""
        event = ev.SubscriptionActivated(
            name,
            PRODUCT,
            self.model.delivery_topics[name],
            "basic",
            1,
            *PERIODS.get(name, (None, None)),
        )
        self._publish(event, active=self.model.active | {name})

    def toggle(self) -> str:
        """Suspend one that is active, or resume one that is not."""
        name = self.random.choice(sorted(self.model.delivery_topics))
        if name in self.model.active:
            self._publish(
                ev.SubscriptionSuspended(name, PRODUCT), active=self.model.active - {name}
            )
            return f"suspended {name}"
        self._publish(ev.SubscriptionResumed(name, PRODUCT), active=self.model.active | {name})
        return f"resumed {name}"

    def evict(self) -> str:
        """The group removes a member in whatever state it is."""
        worker = self.random.choice(self.workers)
        clients = worker.lane._clients
        if clients is None or clients.consumer not in self._members():
            return "nobody to evict"
        self.log.evict(clients.consumer)
        return f"evicted {worker.name}"

    def keepalive(self) -> str:
        """A member polls in mid-batch, as a worker that fears eviction would; so it rejoins."""
        worker = self.random.choice(self.workers)
        clients = worker.lane._clients
        if clients is None or worker.lane._in_flight is None:
            return "nobody in flight"
        consumer, paused = clients.consumer, list(clients.partitions.chains)
        consumer.pause(paused)
        try:
            for fetched in consumer.poll(records_max=0, timeout_s=0):
                consumer.seek(fetched.partition, fetched.next_offset)
        except WeirError as error:
            return f"keepalive of {worker.name} failed: {error}"
        finally:
            consumer.resume(paused)
        return f"keepalive of {worker.name}"

    def _members(self) -> list[Any]:
        alive = [w.lane._clients.consumer for w in self.workers if w.lane._clients is not None]
        return [consumer for consumer in alive if consumer.alive and consumer._topics]

    def kill(self) -> str:
        """A process dies without goodbye; a new process of the same name comes up."""
        worker = self.random.choice(self.workers)
        clients = worker.lane._clients
        if clients is not None:
            self.log.kill(clients.consumer)
            self.log.kill(clients.producer)
            if self.random.random() < 0.7:
                self.log.evict(clients.consumer)
            else:
                self._ghosts.append(clients.consumer)
        worker.born()
        return f"killed {worker.name}"

    def expire(self) -> str:
        """The broker gives up a transaction that took too long, or buries a dead member."""
        self._bury()
        open_ids = self.log.open_transactions()
        if not open_ids:
            return "nothing to expire"
        transactional_id = self.random.choice(open_ids)
        self.log.expire_transaction(transactional_id)
        return f"expired {transactional_id}"

    def _bury(self) -> None:
        for ghost in self._ghosts:
            self.log.evict(ghost)
        self._ghosts.clear()

    def lose(self) -> str:
        """One of the next calls is lost on the way, or its answer is."""
        countdown = self.random.randint(1, 12)
        outcome = self.random.choice((Outcome.REQUEST_LOST, Outcome.ANSWER_LOST))

        def interfere(client: str, verb: str) -> Outcome:
            nonlocal countdown
            if not client.startswith("weir-router"):
                return Outcome.DONE
            countdown -= 1
            return outcome if countdown == 0 else Outcome.DONE

        self.log.interfere(interfere)
        return f"{outcome.value} in {countdown} calls"

    def close_period(self) -> str:
        """Every partition is to prove that billing time has reached now."""
        self._publish(ev.PeriodClosing(PRODUCT, self.clock.ms))
        return "period closes"

    def spoil(self) -> str:
        """A record arrives that nobody can decompress: it was so from the start."""
        before = {p: len(entries) for p, entries in self.log.entries(TOPIC).items()}
        self.produce()
        fresh = [
            (partition, entry.offset)
            for partition, entries in self.log.entries(TOPIC).items()
            for entry in entries[before[partition] :]
            if not entry.marker
        ]
        partition, offset = self.random.choice(fresh)
        self.log.set_readable(TopicPartition(TOPIC, partition), offset, readable=False)
        return f"spoiled {partition}@{offset}"

    def bar(self) -> str:
        """A delivery topic cannot be written, or can be again."""
        topic = self.random.choice([*sorted(self.model.delivery_topics.values()), QUARANTINE])
        writable = self.random.random() < 0.5
        self.log.set_writable(topic, writable=writable)
        return f"{topic} writable: {writable}"

    def leap(self) -> str:
        """Time passes, across a quarter hour perhaps."""
        self.clock.ms += self.random.choice((1_000, 6_000, 900_000))
        return "time leaps"

    def _publish(
        self,
        event: ev.Event,
        *,
        active: frozenset[str] | None = None,
        schema_id: int | None = None,
    ) -> None:
        self.model.note(active=active, schema_id=schema_id)
        data = encode_event(ev.ControlEvent(self.model.seq, self.clock.ms, event))
        self._producer.send_one("weir.control", 0, key=None, value=data, timeout_s=1)

    def _chains(self) -> dict[Any, Any]:
        return {
            at: (chain[-1]["next_offset"], chain[-1]["seq"])
            for at, chain in segments(self.log).items()
        }

    def _settled(self) -> bool:
        chains = segments(self.log)
        reader = self.log.reader(committed=True)
        for partition in range(PARTITIONS):
            end = reader.offsets(TopicPartition(TOPIC, partition), timeout_s=1).last_stable
            chain = chains.get((TOPIC, partition))
            wanted = [
                e.offset
                for e in self.log.entries(TOPIC)[partition]
                if not e.marker and e.state.value == "committed" and e.offset < end
            ]
            if not chain or chain[-1]["seq"] < self.model.concerned_seq:
                return False
            if wanted and chain[-1]["next_offset"] <= wanted[-1]:
                return False
        return True
