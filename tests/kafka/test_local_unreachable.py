"""Clusters of one's own that do not answer: said by name, and nothing is started."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.errors import UnavailableError
from broker.local.exchange import Exchange, Shape


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port that is held, and at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def _variables(port: int) -> list[dict[str, str]]:
    return [
        {
            "WEIR_KAFKA_BOOTSTRAP": f"127.0.0.1:{port}",
            "WEIR_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
        },
        {"WEIR_DATABASE_URL": f"postgresql+psycopg://u:hunter2@127.0.0.1:{port}/x"},
    ]


@pytest.mark.parametrize("which", [0, 1])
def test_a_cluster_that_does_not_answer_is_named(
    tmp_path: Path, dead_port: int, which: int
) -> None:
    """The variable and the address are said at once; no process was launched, no state written."""
    environ = _variables(dead_port)[which]

    with pytest.raises(UnavailableError) as refused:
        Exchange(tmp_path, shape=Shape(), environ=environ).run(print)

    assert str(refused.value).startswith(next(iter(environ)))
    assert str(dead_port) in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert not (tmp_path / "run" / "state.json").exists()
    assert not (tmp_path / "processes").exists()
