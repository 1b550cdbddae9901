"""What every suite may ask for: one real Kafka and PostgreSQL a worker, started on demand.

Their logs are kept, and named at the end, when a test failed; otherwise nothing is left.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from broker.local.kafka import TESTING, EmbeddedKafka
from broker.local.postgres import EmbeddedPostgres

# What the caller's terminal is like is no part of what is tested.
for _name in ("FORCE_COLOR", "CLICOLOR_FORCE", "NO_COLOR", "COLUMNS", "LINES"):
    os.environ.pop(_name, None)
# Stock clients ask a proxy of the environment even for this machine's own addresses.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
_KEPT = pytest.StashKey[list[str]]()
_OF_WORKER = "weir_kept"


@pytest.fixture(scope="session")
def embedded_directory(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Where embedded services of this session live; kept when a test failed."""
    directory = Path(tempfile.mkdtemp(prefix="weir-tests-"))
    # As root, PostgreSQL runs as another user, who must come in.
    directory.chmod(0o711)
    yield directory
    if request.session.testsfailed:
        kept = getattr(request.config, "workeroutput", {}).setdefault(_OF_WORKER, [])
        for names in (kept, request.config.stash.setdefault(_KEPT, [])):
            names.append(str(directory))
    else:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def kafka(embedded_directory: Path) -> Iterator[EmbeddedKafka]:
    """A running broker; `kafka.config` is its administrator's `KafkaConfig`."""
    with EmbeddedKafka(embedded_directory / "kafka", jvm=TESTING) as running:
        yield running


@pytest.fixture(scope="session")
def postgres(embedded_directory: Path) -> Iterator[EmbeddedPostgres]:
    """A running server; most tests want `database_url` instead."""
    settings = {"fsync": "off", "max_connections": "200"}
    with EmbeddedPostgres(embedded_directory / "postgres", settings=settings) as running:
        yield running


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """SQLAlchemy URL of an empty database that only this test has."""
    name = f"test_{secrets.token_hex(6)}"
    admin = postgres.database_url.replace("+psycopg", "")
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield f"{postgres.database_url.removesuffix('/weir')}/{name}"
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Makes a slug that no other test uses: `unique("acme")` is `acme-1f0c2d3e`."""
    return lambda stem: f"{stem}-{secrets.token_hex(4)}"


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear from a worker (pytest-xdist) where it kept logs."""
    kept = getattr(node, "workeroutput", {}).get(_OF_WORKER, [])
    node.config.stash.setdefault(_KEPT, []).extend(kept)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say where the logs of the embedded services are, where they were kept."""
    for directory in config.stash.get(_KEPT, []):
        terminalreporter.write_line(f"logs of Kafka and PostgreSQL are kept in {directory}")
