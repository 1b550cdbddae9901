"""An edge gateway that misbehaves: JSON, an unregistered schema id, a header cut short.

Settings: {"kafka", "topic", "records"}. A plain Producer, as a gateway without a registry client
would have; says {"produced": n, "done": true}.
"""

import json
import sys
from itertools import cycle, islice

from confluent_kafka import Producer

from broker.local.demo.actor import say, settings
from broker.local.demo.telemetry import TURBINES

UNREGISTERED_ID = 999_999
_FLUSH_TIMEOUT_S = 30.0


def main(arguments: list[str]) -> int:
    """Publish faulty records over all partitions; 0 when all are acknowledged."""
    told = settings(arguments)
    producer = Producer(told["kafka"])
    faults = (
        json.dumps({"turbine": "R80711", "active_power_kw": 12.5}).encode(),
        b"\0" + UNREGISTERED_ID.to_bytes(4) + b"\x0cR80711",
        b"\0\0\0",
    )
    turbines = cycle(enumerate(TURBINES))
    for number, (partition, turbine) in enumerate(islice(turbines, told["records"])):
        value = faults[number // len(TURBINES) % len(faults)]
        producer.produce(told["topic"], value, turbine, partition)
    if left := producer.flush(_FLUSH_TIMEOUT_S):
        say(unacknowledged=left)
        return 1
    say(produced=told["records"], done=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
