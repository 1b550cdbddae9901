"""The counter: what Kafka holds of delivery topics, counted as the exchange while verify recounts.

Settings: {"kafka", "topics": {name: partitions}}. Says {name: records} of each, and
{"done": true} at the end.
"""

import sys
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from broker.errors import OperatingError
from broker.local.demo.actor import say, settings

_QUIET_TURNS_MAX = 150


def main(arguments: list[str]) -> int:
    """Count every topic once."""
    told = settings(arguments)
    for topic, partitions in told["topics"].items():
        say(**{topic: _delivered(told["kafka"], topic, partitions)})
    say(done=True)
    return 0


def _delivered(kafka: dict[str, Any], topic: str, partitions: int) -> int:
    """Records that a read_committed reader finds from the beginning to the end of a topic.

    Raises:
        OperatingError: its end was not reached.
    """
    reading = {
        "group.id": "weir-demo-count",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.queue.backoff.ms": 5,
    }
    consumer = Consumer(kafka | reading)
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
    count, ended, quiet_turns = 0, set[int](), 0
    try:
        while len(ended) < partitions:
            messages = consumer.consume(25_000, 0.2)
            quiet_turns = 0 if messages else quiet_turns + 1
            if quiet_turns > _QUIET_TURNS_MAX:
                raise OperatingError(f"topic {topic}: its end was not reached")
            for message in messages:
                error = message.error()
                if error is None:
                    count += 1
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  the library's name for it
                    ended.add(message.partition())
                else:
                    raise OperatingError(f"topic {topic}: {error.str()}")
    finally:
        consumer.close()
    return count


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
