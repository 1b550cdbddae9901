"""Routers killed with -9 in mid-work on real Kafka: entitled = delivered = metered = billed.

The quick form of `weir faults`, which draws twenty kills from a seed.
"""

from pathlib import Path

import pytest

from broker.faults.fault import Fault, KillLedger, KillRouter, PauseRouter, RestartBroker
from broker.faults.run import run_faults
from broker.local.kafka import TESTING

pytestmark = pytest.mark.kafka

FAULTS: list[Fault] = [
    KillRouter(0, into_s=0.005, takeover=True),
    RestartBroker(hard=True),
    KillRouter(1, into_s=0.015, takeover=False),
    KillLedger(),
    KillRouter(0, into_s=0.0, takeover=False),
    PauseRouter(1, into_s=0.005),
    KillRouter(1, into_s=0.01, takeover=True),
]


@pytest.mark.timeout(600)
def test_killed_routers_bill_what_they_delivered(tmp_path: Path) -> None:
    """Two routers, each killed in mid-work and one asleep until it is a zombie; broker and ledger
    killed in between: after each, what Kafka acknowledged to the producer is what every buyer was
    entitled to, delivered, metered and billed, to the record and the byte.
    """
    kills = sum(isinstance(fault, KillRouter) for fault in FAULTS)
    outcome = run_faults(tmp_path, FAULTS, kills=kills, seed=1, records_per_s=1_000, jvm=TESTING)
    for turn in outcome.turns:
        print(turn)
        assert turn.judgement.faults == ()
    assert len(outcome.turns) == len(FAULTS)
    assert outcome.kills >= kills - 2, "kills that the router's log shows in mid-work"
