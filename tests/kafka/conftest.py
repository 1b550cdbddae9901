"""One whole exchange a session, for the tests that ask for it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.local.background import take_down
from tests.kafka.exchange import Exchange, Market, bring_up

ROUTERS = 2


@pytest.fixture(scope="session")
def exchange(embedded_directory: Path) -> Iterator[Exchange]:
    """`weir up` with two routers, in a home of its own; taken down at the end."""
    home = embedded_directory / "exchange"
    home.mkdir(mode=0o711)
    try:
        running = bring_up(home, routers=ROUTERS)
        yield running
        running.database.dispose()
    finally:
        take_down(home)


@pytest.fixture
def market(exchange: Exchange, unique: Callable[[str], str]) -> Callable[..., Market]:
    """Opens a market: `market(buyers=2, partitions=1)`."""
    return lambda **settings: Market(exchange, unique, **settings)
