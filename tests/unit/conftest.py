"""Unit tests touch no network: a socket that connects or listens is an error."""

import socket
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: Any, *_: Any) -> None:
        raise AssertionError(f"a unit test reached for the network: {address}")

    # An event loop's own pair of sockets neither connects nor binds.
    for name in ("connect", "connect_ex", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)
