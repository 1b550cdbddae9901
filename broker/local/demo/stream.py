"""The stream: everything that happens while the records flow.

publish ─▶ gateway misbehaves ─▶ trial is revoked ─▶ a router is killed ─▶ all is published
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from broker.client.values import Cutover
from broker.errors import OperatingError
from broker.local.demo.cast import Actor
from broker.local.demo.market import OFFERS, PRODUCT, TRIAL, Market
from broker.local.demo.screen import Screen
from broker.local.demo.telemetry import fetch
from broker.local.demo.waiting import until
from broker.local.state import read_state

GATEWAY_RECORDS = 600
GATEWAY_AT = 0.2
REVOKE_AT = 0.45
KILL_AT = 0.6
_TIMEOUT_S = 240.0
# A busy machine is slow; a factory that brings nothing forward for so long is stuck.
_STALL_S = 90.0
_POLL_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """What came of it. The buyers still read."""

    cutover: Cutover
    router_kills: int
    buyers: dict[str, Actor]


def stream(
    market: Market, home: Path, directory: Path, screen: Screen, *, records: int
) -> Streamed:
    """Publish telemetry, with everything that happens meanwhile.

    Args:
        market: open.
        home: of the exchange, whose router is killed.
        directory: where actors keep settings and logs.
        screen: hears it.
        records: how many readings to publish.
    """
    buyers = {offer.subscription: _buyer(market, offer.subscription, directory) for offer in OFFERS}
    told = {
        "kafka": market.kafka(market.seller.account) | {"linger.ms": 20, "compression.type": "lz4"},
        "registry": market.registry(market.seller),
        "topic": market.topic,
        "csv": str(fetch()),
        "records": records,
    }
    factory = Actor("factory", "factory", told, directory)
    try:
        return _meanwhile(
            market, home, directory, screen, factory=factory, buyers=buyers, records=records
        )
    except BaseException:
        for actor in (factory, *buyers.values()):
            actor.kill()
        raise


def _meanwhile(
    market: Market,
    home: Path,
    directory: Path,
    screen: Screen,
    *,
    factory: Actor,
    buyers: dict[str, Actor],
    records: int,
) -> Streamed:
    kills: list[int] = []
    acts: list[tuple[float, Callable[[], None]]] = [
        (GATEWAY_AT, lambda: _misbehave(market, directory, screen)),
        (REVOKE_AT, lambda: _revoke(market, screen)),
        (KILL_AT, lambda: kills.append(_kill_router(home, screen))),
    ]
    totals = {"published": records} | dict.fromkeys(buyers, records)
    produced, moved_s = 0, time.monotonic()
    with screen.progress(totals) as move:
        while factory.running:
            received = {name: int(b.facts.get("received", 0)) for name, b in buyers.items()}
            before, produced = produced, int(factory.facts.get("produced", 0))
            while acts and produced >= acts[0][0] * records:
                acts.pop(0)[1]()
            move({"published": produced} | received)
            if produced != before:
                moved_s = time.monotonic()
            if time.monotonic() - moved_s > _STALL_S:
                raise OperatingError(
                    f"the factory, which publishes the telemetry: nothing in {_STALL_S:.0f} s, "
                    f"{produced:,} of {records:,} so far; its log is {factory.log}; "
                    "`weir demo --records 40000` publishes fewer"
                )
            time.sleep(_POLL_S)
    produced = int(factory.wait()["produced"])
    for _, act in acts:
        act()
    screen.fact(f"all {produced:,} records are published and acknowledged")
    with market.as_(market.seller) as selling:
        cutover = until(
            lambda: (
                c if (c := selling.subscriptions.cutover(TRIAL.subscription)).complete else None
            ),
            what=f"cutover of {TRIAL.subscription} in every partition",
            timeout_s=_TIMEOUT_S,
        )
    proven = ", ".join(f"partition {p} at {o:,}" for p, o in sorted(cutover.offsets.items()))
    screen.fact(f"{TRIAL.subscription}: proven cutover offsets: {proven}")
    return Streamed(cutover=cutover, router_kills=len(kills), buyers=buyers)


def _buyer(market: Market, subscription: str, directory: Path) -> Actor:
    party = market.buyers[subscription.partition("/")[0]]
    told = {
        "kafka": market.reading(party),
        "registry": market.registry(party),
        "topic": market.subscriptions[subscription].delivery_topic,
    }
    return Actor("buyer", f"buyer-{party.organisation}", told, directory)


def _misbehave(market: Market, directory: Path, screen: Screen) -> None:
    told = {
        "kafka": market.kafka(market.gateway),
        "topic": market.topic,
        "records": GATEWAY_RECORDS,
    }
    gateway = Actor("gateway", "gateway", told, directory)
    try:
        produced = gateway.wait()["produced"]
    finally:
        gateway.kill()
    screen.fact(
        f"the edge gateway misbehaves: {produced} records of JSON, unknown ids, cut headers"
    )


def _revoke(market: Market, screen: Screen) -> None:
    with market.as_(market.seller) as selling:
        selling.subscriptions.revoke(TRIAL.subscription, reason="the trial is over")
    screen.fact(f"{PRODUCT}: {TRIAL.subscription} is revoked, the others read on")


def _kill_router(home: Path, screen: Screen) -> int:
    """Kill -9 the first router; the supervisor brings it back, the second takes over meanwhile."""
    state = read_state(home)
    routers = [p for p in (state.processes if state else ()) if p.name.startswith("router")]
    pid = next((p.pid for p in routers if p.pid), None)
    if pid is None:
        raise OperatingError("router: none runs, there is nothing to kill")
    os.kill(pid, signal.SIGKILL)
    screen.fact(f"router with pid {pid} is killed (-9) in mid-stream; another takes over")
    return pid
