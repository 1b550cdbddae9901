"""A control plane over real Kafka, and a market on it."""

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql

from broker.local.kafka import EmbeddedKafka
from broker.local.postgres import EmbeddedPostgres
from broker.store.base import engine
from broker.store.migrate import migrate
from tests.kafka.reconcile.world import World


@pytest.fixture(scope="module")
def world(kafka: EmbeddedKafka, postgres: EmbeddedPostgres) -> Iterator[World]:
    """A control plane that the tests of this module share, each with names of its own."""
    name = f"reconcile_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.database_url.replace("+psycopg", ""), autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    database_url = f"{postgres.database_url.removesuffix('/weir')}/{name}"
    migrate(database_url)
    database = engine(database_url)
    yield World(database, kafka.config, datetime.now(UTC))
    database.dispose()


@pytest.fixture
def slugs(unique: Callable[[str], str]) -> tuple[str, str, str]:
    """A seller, a buyer, and a buyer whose name begins with the first one's."""
    seller, buyer = unique("farm"), unique("grid")
    return seller, buyer, f"{buyer}-energy"


@pytest.fixture
def market(world: World, slugs: tuple[str, str, str]) -> World:
    """One product, bought by both buyers; all is in place."""
    seller, buyer, other = slugs
    for slug in slugs:
        world.organisation(slug)
    world.product(f"{seller}/wind")
    world.settle()
    for slug in (buyer, other):
        world.subscription(f"{slug}/feed", f"{seller}/wind")
    world.settle()
    return world
