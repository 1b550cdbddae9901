"""The factory: publishes every reading with the stock SerializingProducer and AvroSerializer.

Settings: {"kafka", "registry", "topic", "csv", "records"}. Says {"produced": n} as it goes, and at
the end {"produced": n, "done": true} once every record is acknowledged.
"""

import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, SerializingProducer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import StringSerializer

from broker.local.demo.actor import say, settings
from broker.local.demo.telemetry import TURBINES, readings
from broker.resources import resource

_SAY_RECORDS = 1_000
_FLUSH_TIMEOUT_S = 60.0


def main(arguments: list[str]) -> int:
    """Publish the first `records` readings; 0 when all are acknowledged."""
    told = settings(arguments)
    schema = resource("schemas", "WindTurbineReading.avsc").read_text()
    serializer = AvroSerializer(SchemaRegistryClient(told["registry"]), schema)
    producer = SerializingProducer(
        told["kafka"]
        | {"key.serializer": StringSerializer("utf_8"), "value.serializer": serializer}
    )
    failed: list[KafkaError] = []

    def report(error: KafkaError | None, _: Any) -> None:
        if error is not None:
            failed.append(error)

    produced = 0
    partitions = {turbine: number for number, turbine in enumerate(TURBINES)}
    for reading in islice(readings(Path(told["csv"])), told["records"]):
        turbine = reading["turbine"]
        while True:
            try:
                producer.produce(
                    told["topic"], turbine, reading, partitions[turbine], on_delivery=report
                )
                break
            except BufferError:
                producer.poll(0.1)
        produced += 1
        if produced % _SAY_RECORDS == 0:
            producer.poll(0)
            say(produced=produced, at=time.time())
    left = producer.flush(_FLUSH_TIMEOUT_S)
    if failed or left:
        say(failed=len(failed), unacknowledged=left, why=str(failed[0]) if failed else None)
        return 1
    say(produced=produced, done=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
