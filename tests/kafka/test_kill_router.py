"""Routers killed with -9 in mid-work on real Kafka: entitled = delivered = metered = billed.

The quick form of `weir faults`, which draws twenty kills from a seed.
"""

from itertools import chain, repeat
from pathlib import Path

import pytest

from broker.faults.fault import Fault, KillRouter, PauseRouter, RestartBroker
from broker.faults.run import run_faults
from broker.local.kafka import TESTING

pytestmark = pytest.mark.kafka

KILLS = 3
FAULTS: list[Fault] = [
    KillRouter(0, into_s=0.002, takeover=True),
    RestartBroker(hard=True),
    KillRouter(1, into_s=0.005, takeover=False),
    PauseRouter(1, into_s=0.002),
]
# Until enough of them have struck in mid-work.
LAST = KillRouter(0, into_s=0.0, takeover=False)


@pytest.mark.timeout(600)
def test_killed_routers_bill_what_they_delivered(tmp_path: Path) -> None:
    """Routers killed in mid-work bill what they delivered, to the record and the byte.

    Two routers under load; one is put to sleep until it is a zombie, and the broker is killed in
    between. After each, what Kafka acknowledged to the producer is what every buyer was entitled
    to, was delivered, metered and billed.
    """
    faults = chain(FAULTS, repeat(LAST, 6))
    outcome = run_faults(tmp_path, faults, kills=KILLS, seed=1, records_per_s=1_000, jvm=TESTING)
    for turn in outcome.turns:
        print(turn)
        assert turn.judgement.faults == ()
    assert len(outcome.turns) > len(FAULTS)
    assert outcome.kills == KILLS, "kills that the router's log shows in mid-work"
