"""Peers: what a hand-written loop does, in a process of its own.

`python -m broker.bench.peer bare|transactional SOURCE RECORDS OUTPUT…` copies every record of
SOURCE to each OUTPUT and prints one JSON line: {"rate", "cpu_us"}. Tuned like the router's own
clients (`docs/bench.md`): an untuned peer is no peer.
"""

import json
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import confluent_kafka as ck

from broker.bench.load import PARTITIONS
from broker.config import KafkaConfig, home_from, kafka_config
from broker.flow.settings import LaneSettings
from broker.log import kafka_settings

BATCH_RECORDS = LaneSettings().records_max
_TIMEOUT_S = 60.0


@dataclass
class Meter:
    """Rate between the first and the last batch: starting up is no throughput."""

    records: int = 0
    first_records: int = 0
    first_s: float = 0.0
    last_s: float = 0.0

    def note(self, records: int) -> None:
        """A batch is done."""
        self.last_s = time.monotonic()
        self.records += records
        if not self.first_records:
            self.first_records, self.first_s = records, self.last_s

    def rate(self) -> float:
        """Records a second."""
        return (self.records - self.first_records) / (self.last_s - self.first_s)


def consumer(config: KafkaConfig, source: str) -> ck.Consumer:
    """Reads all partitions of the source from the beginning."""
    made = ck.Consumer(
        config.client()
        | kafka_settings.fetching(committed=True)
        | kafka_settings.member(f"bench-{uuid.uuid4()}")
        | {"auto.offset.reset": "earliest", "enable.partition.eof": False}
    )
    made.subscribe([source])
    return made


def producer(config: KafkaConfig, transactional_id: str | None) -> ck.Producer:
    """With the router's own settings, codec included: an untuned peer is no peer."""
    return ck.Producer(config.client() | kafka_settings.producing(transactional_id))


def copy(
    config: KafkaConfig, source: str, records: int, outputs: list[str], *, transactional: bool
) -> Meter:
    """Consume and produce until all has been copied."""
    reader = consumer(config, source)
    writer = producer(config, f"bench-{uuid.uuid4()}" if transactional else None)
    if transactional:
        writer.init_transactions(_TIMEOUT_S)
    meter = Meter()
    while meter.records < records:
        messages = reader.consume(BATCH_RECORDS, 0.1)
        if not messages:
            continue
        if transactional:
            writer.begin_transaction()
        next_offsets = [0] * PARTITIONS
        for message in messages:
            partition = message.partition()
            for output in outputs:
                _produce(writer, output, message, partition)
            next_offsets[partition] = message.offset() + 1
        if transactional:
            places = [
                ck.TopicPartition(source, p, offset)
                for p, offset in enumerate(next_offsets)
                if offset
            ]
            writer.flush(_TIMEOUT_S)
            writer.send_offsets_to_transaction(places, reader.consumer_group_metadata(), _TIMEOUT_S)
            writer.commit_transaction(_TIMEOUT_S)
        else:
            writer.poll(0)
        meter.note(len(messages))
    writer.flush(_TIMEOUT_S)
    meter.last_s = time.monotonic()
    reader.close()
    return meter


def _produce(writer: ck.Producer, output: str, message: ck.Message, partition: int) -> None:
    while True:
        try:
            writer.produce(output, message.value(), message.key(), partition)
        except BufferError:
            writer.poll(0.05)
        else:
            return


def main(arguments: list[str]) -> None:
    """Copy once and print the figures."""
    kind, source, records, *outputs = arguments
    config = kafka_config(home_from({}, str(Path.cwd())))
    cpu_s = time.process_time()
    meter = copy(config, source, int(records), outputs, transactional=kind == "transactional")
    cpu_us = (time.process_time() - cpu_s) / int(records) * 1e6
    sys.stdout.write(json.dumps({"rate": meter.rate(), "cpu_us": cpu_us}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
