"""A buyer: reads its delivery topic with a stock Consumer under its own credentials.

Settings: {"kafka", "registry", "topic"}. Decodes the first record with AvroDeserializer and says
what it holds; says {"received": n} as it goes. When told to stop it reads on to the end of every
partition, then says {"received", "bytes", "done": true}.
"""

import sys
import time
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from broker.local.demo.actor import say, settings, told_to_stop

_END_TIMEOUT_S = 60.0


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
        for message in consumer.consume(10_000, 0.2):
            error = message.error()
            if error is None:
                ended.discard(message.partition())
                if not received:
                    say(first=_decoded(message, told))
                received += 1
                size_bytes += _size(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  the library's name for it
                ended.add(message.partition())
            else:
                say(error=error.str())
                return 1
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


def _size(message: Message) -> int:
    headers = sum(len(name.encode()) + len(value or b"") for name, value in message.headers() or ())
    return len(message.key() or b"") + len(message.value() or b"") + headers


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
