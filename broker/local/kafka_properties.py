"""The broker's properties: `deploy/kafka/server.properties`, filled in."""

from collections.abc import Mapping
from pathlib import Path
from string import Template

from broker.resources import resource

# One name in SCRAM, on the controller's listener and as the super user, or the broker shuts itself
# out. Reserved with `weir-*`, so that no organisation's account can ever carry it.
ADMIN = "weir-admin"


def server_properties(
    *,
    client_port: int,
    controller_port: int,
    password: str,
    data: Path,
    extra: Mapping[str, str],
) -> str:
    """The text of the file. It holds the password: keep it at mode 0600."""
    template = Template(resource("deploy", "kafka", "server.properties").read_text())
    text = template.substitute(
        client_port=client_port,
        controller_port=controller_port,
        username=ADMIN,
        password=password,
        data=data,
    )
    kept = [line for line in text.splitlines() if line.split("=", 1)[0] not in extra]
    return "\n".join([*kept, *(f"{key}={value}" for key, value in extra.items())]) + "\n"
