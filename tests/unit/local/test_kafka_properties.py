"""The broker's properties."""

from pathlib import Path

from broker.local.kafka_properties import server_properties


def properties(**extra: str) -> dict[str, str]:
    text = server_properties(
        client_port=1, controller_port=2, password="s3cret", data=Path("/d"), extra=extra
    )
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_closes_every_listener() -> None:
    """Clients and the controller prove who they are; what no ACL allows is refused."""
    found = properties()
    protocols = dict(one.split(":") for one in found["listener.security.protocol.map"].split(","))
    assert {one.split(":")[0] for one in found["listeners"].split(",")} == protocols.keys()
    assert set(protocols.values()) == {"SASL_PLAINTEXT"}
    assert found["allow.everyone.if.no.acl.found"] == "false"
    assert found["super.users"] == "User:weir-admin"
    assert found["auto.create.topics.enable"] == "false"


def test_extra_replaces() -> None:
    """A property given by a test stands once, in place of ours."""
    found = properties(**{"num.io.threads": "8"})
    assert found["num.io.threads"] == "8"
