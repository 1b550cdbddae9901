"""The benchmark's arithmetic."""

from broker.bench.router import Figures
from broker.bench.run import FAN_OUTS, middle, ratios, spread, turned

RATES = {
    "router fan-out 1": [90.0, 100.0, 110.0],
    "transactional fan-out 1": [100.0, 200.0, 100.0],
    "bare fan-out 1": [200.0, 200.0, 200.0],
    "router fan-out 4": [60.0, 40.0, 50.0],
    "transactional fan-out 4": [40.0, 40.0, 50.0],
    "bare fan-out 4": [50.0, 50.0, 50.0],
    "plain Faust": [1.0, 2.0, 1.0],
}
RUNS = {name: [Figures(rate, 1.0) for rate in rates] for name, rates in RATES.items()}


def test_a_ratio_is_ours_over_the_peers_of_medians() -> None:
    """At each fan-out over both loops, and over plain Faust at fan-out 1."""
    assert FAN_OUTS == (1, 4)
    assert ratios({name: one.rate for name, one in middle(RUNS).items()}) == {
        "router_vs_bare_eos_fanout1": 1.0,
        "router_vs_bare_fanout1": 0.5,
        "router_vs_bare_eos_fanout4": 1.25,
        "router_vs_bare_fanout4": 1.0,
        "router_vs_plain_faust": 100.0,
    }


def test_the_spread_is_of_rounds_side_by_side() -> None:
    """Least and greatest of what one and the same round measured."""
    assert spread(RUNS)["router_vs_bare_eos_fanout1"] == [0.5, 1.1]
    assert spread(RUNS)["router_vs_plain_faust"] == [50.0, 110.0]


def test_every_contender_begins_a_round() -> None:
    """In turn, none left out."""
    rounds = [turned("abc", number) for number in range(3)]
    assert rounds == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]]
