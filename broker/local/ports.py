"""Free ports on this machine, outside the range from which the kernel takes its own.

A port that is remembered from one start to the next must not be handed to some outgoing connection
in between, and a client that retries on a closed port of that range can even connect to itself.
"""

import json
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path

from broker.errors import SetupError
from broker.local.secret import write_secret

HOST = "127.0.0.1"
# Below 32768, where Linux's ephemeral range begins, and above what services are known by.
_FIRST, _COUNT = 15_000, 17_000
_ATTEMPTS_MAX = 400


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        # As servers do: a port whose old connections are in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether something accepts connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def free_ports(count: int) -> list[int]:
    """As many different free ports.

    Chosen at random, so that two who choose at once do not meet.

    Raises:
        SetupError: hardly any port is free.
    """
    found: set[int] = set()
    for _ in range(_ATTEMPTS_MAX):
        port = _FIRST + secrets.randbelow(_COUNT)
        if is_free(port):
            found.add(port)
        if len(found) == count:
            return sorted(found)
    raise SetupError(f"ports {_FIRST} to {_FIRST + _COUNT}: nearly all are taken; free some")


class RememberedPorts:
    """Ports by name in a file, so that the next start takes the same ones."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, name: str) -> int:
        """The port of that name; chosen and kept at the first call."""
        found = self._read().get(name)
        return found if found is not None else self.choose([name])[name]

    def choose(self, names: Sequence[str]) -> dict[str, int]:
        """Give new ports to these names; the ports of all names."""
        ports = self._read() | dict(zip(names, free_ports(len(names)), strict=True))
        write_secret(self._path, json.dumps(ports))
        return ports

    def usable(self, names: Sequence[str]) -> dict[str, int]:
        """The ports of these names, chosen anew where one is missing or another program took it."""
        stored = self._read()
        lacking = [name for name in names if name not in stored or not is_free(stored[name])]
        ports = self.choose(lacking) if lacking else stored
        return {name: ports[name] for name in names}

    def _read(self) -> dict[str, int]:
        ports: dict[str, int] = json.loads(self._path.read_text()) if self._path.exists() else {}
        return ports
