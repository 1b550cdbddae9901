"""Settings to paste: what they hold, and that each language can read its own."""

import ast
import json

import pytest

from broker.client.properties import (
    LANGUAGES,
    Connection,
    Language,
    Registry,
    java_settings,
    registry_settings,
    render,
    settings,
)

CONNECTION = Connection(
    bootstrap="kafka:9093",
    principal="grid.reader",
    password="p4ss",
    security_protocol="SASL_SSL",
    ca_file="/ca.pem",
    group="grid.reader",
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_consumers_read_committed_and_say_why(language: Language) -> None:
    """Java would otherwise show records of aborted transactions; each text says so."""
    text = render(CONNECTION, language=language, use="consumer")

    assert "isolation.level" in text
    assert "read_committed" in text
    assert "neither" in text
    assert "billed" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_producers_wait_for_all(language: Language) -> None:
    """A producer's settings lose nothing and write nothing twice."""
    text = render(CONNECTION, language=language, use="producer")

    assert "enable.idempotence" in text
    assert "isolation.level" not in text


def test_python_is_python() -> None:
    """The text assigns a dictionary that a client takes as it is."""
    tree = ast.parse(render(CONNECTION, language="python", use="consumer"))
    assignment = tree.body[0]

    assert isinstance(assignment, ast.Assign)
    assert ast.literal_eval(assignment.value) == settings(CONNECTION, "consumer")


def test_java_logs_in_by_jaas() -> None:
    """Java has no user name and password of its own: they stand in the login module's line."""
    found = java_settings(CONNECTION, "consumer")
    text = render(CONNECTION, language="java", use="consumer")
    lines = dict(
        line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#")
    )

    assert lines == found
    assert 'username="grid.reader" password="p4ss";' in found["sasl.jaas.config"]
    assert found["ssl.truststore.location"] == "/ca.pem"


def test_registry_takes_any_name_beside_the_token() -> None:
    """Each language's registry client is given the address and the token."""
    registry = Registry(url="https://weir/registry", organisation="grid", token="t0k")
    found = {language: registry_settings(registry, language=language) for language in LANGUAGES}

    assert found["python"] == {
        "url": "https://weir/registry",
        "basic.auth.user.info": "grid:t0k",
    }
    assert found["java"]["basic.auth.credentials.source"] == "USER_INFO"
    assert found["kcat"] == {"schema.registry.url": "https://grid:t0k@weir/registry"}


def test_secrets_are_not_in_a_value_s_text() -> None:
    """A connection that is logged shows no password."""
    assert "p4ss" not in repr(CONNECTION)
    assert "p4ss" in json.dumps(settings(CONNECTION, "consumer"))
