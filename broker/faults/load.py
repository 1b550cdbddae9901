"""Load: a stock producer at a steady rate that writes down what Kafka acknowledged.

It knows nothing of routers. One record in fifty is no Avro, so that quarantine is under load too.
"""

import threading
from collections import Counter
from random import Random
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, Message, Producer

from broker.config import KafkaConfig
from broker.errors import UnavailableError
from broker.faults.market import PARTITIONS, SCHEMA_ID, TOPIC

_BURST_EVERY_S = 0.02
_VALID = b"\0" + SCHEMA_ID.to_bytes(4, "big")
_INVALID_ONE_IN = 50
_SETTLE_S = 90.0


class Load:
    """Produces in a thread of its own while it is not paused; a context manager.

    Args:
        config: the cluster.
        seed: of sizes and partitions.
        records_per_s: the rate.
    """

    def __init__(self, config: KafkaConfig, *, seed: int, records_per_s: int) -> None:
        # Idempotent: a broker killed between append and answer must not make two of one record.
        self._producer = Producer(
            config.client() | {"enable.idempotence": True, "linger.ms": 5, "log_level": 0}
        )
        self._choose = Random(seed)  # noqa: S311  a seed replays it
        self._burst = max(1, int(records_per_s * _BURST_EVERY_S))
        self._running = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._produce, name="load")
        self._lock = threading.Lock()
        self.acknowledged: Counter[bool] = Counter()
        self.failed: str | None = None

    @property
    def valid_records(self) -> int:
        """Acknowledged records that every subscription is entitled to."""
        return self.acknowledged[True]

    @property
    def refused_records(self) -> int:
        """Acknowledged records that break the product's rules."""
        return self.acknowledged[False]

    def resume(self) -> None:
        """Produce."""
        self._running.set()

    def pause(self) -> None:
        """Produce no more, and wait until Kafka has acknowledged all.

        Raises:
            UnavailableError: it did not, or a record failed.
        """
        self._running.clear()
        with self._lock:
            left = self._producer.flush(_SETTLE_S)
        if left or self.failed:
            raise UnavailableError(f"load: {left} records unacknowledged, {self.failed or 'none'}")

    def __enter__(self) -> Self:
        """Start, paused."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the thread; what is queued is left."""
        self._ended.set()
        self._running.set()
        self._thread.join()
        self._producer.purge()

    def _produce(self) -> None:
        while not self._ended.wait(_BURST_EVERY_S):
            self._running.wait()
            with self._lock:
                for _ in range(self._burst):
                    self._produce_one()
                self._producer.poll(0)

    def _produce_one(self) -> None:
        choose = self._choose
        valid = choose.randrange(_INVALID_ONE_IN) != 0
        body = choose.randbytes(choose.randrange(20, 400))
        key = None if choose.randrange(10) == 0 else choose.randbytes(8)
        headers = [("site", b"north")] if choose.randrange(4) == 0 else None

        def reported(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self.acknowledged[valid] += 1
            else:
                self.failed = str(error)

        self._producer.produce(
            TOPIC,
            key=key,
            value=(_VALID if valid else b"{") + body,
            partition=choose.randrange(PARTITIONS),
            headers=headers,
            on_delivery=reported,
        )
