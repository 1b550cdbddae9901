"""A buyer: reads its delivery topic with a stock Consumer under its own credentials.

Settings: {"kafka", "registry", "topic"}. Decodes the first record with AvroDeserializer and says
what it holds; says {"received": n} as it goes. When told to stop it reads on to the end of every
partition, then says {"received", "bytes", "done": true}.
"""

import sys
import time
from itertools import chain
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from broker.local.demo.actor import say, settings, told_to_stop

_END_TIMEOUT_S = 60.0
_END = KafkaError._PARTITION_EOF  # noqa: SLF001  the library's name for it


def main(arguments: list[str]) -> int:
    """Read until told to stop; 0 when every partition was read to its end."""
    told = settings(arguments)
    stop = told_to_stop()
    consumer = Consumer(told["kafka"] | {"enable.partition.eof": True})
    consumer.subscribe([told["topic"]])
    received = size_bytes = 0
    ended: set[int] = set()
    deadline = float("inf")
    while time.monotonic() < deadline:
        messages = consumer.consume(10_000, 0.2)
        records = [message for message in messages if message.error() is None]
        failed = [e for message in messages if (e := message.error()) and e.code() != _END]
        if failed:
            say(error=failed[0].str())
            return 1
        if records and not received:
            say(first=_decoded(records[0], told))
        received += len(records)
        size_bytes += _size(records)
        for partition, last in {message.partition(): message for message in messages}.items():
            (ended.add if last.error() else ended.discard)(partition)
        say(received=received)
        if stop.is_set():
            deadline = min(deadline, time.monotonic() + _END_TIMEOUT_S)
            assigned = {place.partition for place in consumer.assignment()}
            if assigned and assigned <= ended:
                consumer.close()
                say(received=received, bytes=size_bytes, done=True)
                return 0
    say(error=f"the end was not reached within {_END_TIMEOUT_S} s of being told to stop")
    return 1


def _decoded(message: Message, told: dict[str, Any]) -> str:
    decode = AvroDeserializer(SchemaRegistryClient(told["registry"]))
    context = SerializationContext(message.topic(), MessageField.VALUE)
    return str(decode(message.value(), context))


def _size(records: list[Message]) -> int:
    parts = [*map(Message.key, records), *map(Message.value, records)]
    headers = chain.from_iterable(filter(None, map(Message.headers, records)))
    parts += chain.from_iterable((name.encode(), value) for name, value in headers)
    return sum(map(len, filter(None, parts)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
