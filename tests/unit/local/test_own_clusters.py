"""Clusters of one's own that are named wrongly: told by name before anything starts."""

from pathlib import Path

import pytest

from broker.errors import InvalidFieldError
from broker.local.exchange import Exchange, Shape
from broker.local.unit import last_words

KAFKA = {"WEIR_KAFKA_BOOTSTRAP": "127.0.0.1:9", "WEIR_KAFKA_USERNAME": "weir"}


@pytest.mark.parametrize(
    ("environ", "field"),
    [
        ({"WEIR_KAFKA_BOOTSTRAP": "127.0.0.1:9"}, "WEIR_KAFKA_USERNAME"),
        ({**KAFKA, "WEIR_KAFKA_BOOTSTRAP": "127.0.0.1:abc"}, "WEIR_KAFKA_BOOTSTRAP"),
        ({**KAFKA, "WEIR_KAFKA_SECURITY_PROTOCOL": "TLS"}, "WEIR_KAFKA_SECURITY_PROTOCOL"),
        ({**KAFKA, "WEIR_DATABASE_URL": "nonsense"}, "WEIR_DATABASE_URL"),
        ({"WEIR_DATABASE_URL": "mysql://u:p@h/x"}, "WEIR_DATABASE_URL"),
    ],
)
def test_a_variable_that_cannot_be_meant_is_named(
    tmp_path: Path, environ: dict[str, str], field: str
) -> None:
    """An exchange is not even built with it, so nothing starts and no log must be read."""
    with pytest.raises(InvalidFieldError) as refused:
        Exchange(tmp_path, shape=Shape(), environ=environ)

    assert refused.value.field == field


@pytest.mark.parametrize("text", ["{bad", '{"kafka": {"colour": "red"}}'])
def test_a_spoilt_connections_file_is_named(tmp_path: Path, text: str) -> None:
    """The file is named, also where every cluster is embedded."""
    (tmp_path / "connections.json").write_text(text)

    with pytest.raises(InvalidFieldError) as refused:
        Exchange(tmp_path, shape=Shape(), environ={})

    assert refused.value.field == str(tmp_path / "connections.json")


def test_the_reason_of_an_end_is_the_line_that_says_it() -> None:
    """The line of `weir:` is the reason; an aside in brackets at the end of a log is none."""
    aside = "(Background on this error at: https://example.org/e3q8)"

    assert last_words(["weir: the database is away", "", "bye"]) == "weir: the database is away"
    assert last_words(["connection refused", aside, ""]) == "connection refused"
    assert last_words([aside]) == ""
