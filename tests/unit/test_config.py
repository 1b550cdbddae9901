"""Where a process finds Kafka, the API and its token: what is named wrongly is told by name."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.config import api_config, kafka_config
from broker.errors import InvalidFieldError

OPERATOR = "the operator's token"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that keeps an operator's token."""
    stored = {"api_url": "http://127.0.0.1:1", "operator_token": OPERATOR}
    (tmp_path / "connections.json").write_text(json.dumps(stored))
    return tmp_path


def _empty(path: Path) -> None:
    path.write_text(" \n")


def _not_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


def _absent(path: Path) -> None:
    path.unlink(missing_ok=True)


spoilt = pytest.mark.parametrize(
    ("spoil", "said"),
    [(_empty, "is empty"), (_not_text, "not UTF-8"), (_absent, "cannot be read")],
)


@spoilt
def test_a_named_token_file_is_never_replaced_by_the_operator(
    home: Path, spoil: Callable[[Path], None], said: str
) -> None:
    """A file named by --token-file that holds no token is refused by name."""
    spoil(home / "my.token")

    with pytest.raises(InvalidFieldError, match=said) as refused:
        api_config(home, {}, token_file=home / "my.token")

    assert refused.value.field == "--token-file"
    assert "my.token" in str(refused.value)


@spoilt
def test_a_token_file_in_the_environment_is_never_replaced_by_the_operator(
    home: Path, spoil: Callable[[Path], None], said: str
) -> None:
    """A file named by WEIR_TOKEN_FILE that holds no token is refused by name."""
    spoil(home / "my.token")

    with pytest.raises(InvalidFieldError, match=said) as refused:
        api_config(home, {"WEIR_TOKEN_FILE": str(home / "my.token")})

    assert refused.value.field == "WEIR_TOKEN_FILE"


def test_a_blank_token_is_never_replaced_by_the_operator(home: Path) -> None:
    """WEIR_TOKEN that holds white space alone is refused."""
    with pytest.raises(InvalidFieldError, match="WEIR_TOKEN: is blank"):
        api_config(home, {"WEIR_TOKEN": " "})


def test_who_names_no_token_is_the_operator_of_the_home(home: Path) -> None:
    """Without a file and without a variable, or with empty ones, the home's own token is used."""
    assert api_config(home, {}).token == OPERATOR
    assert api_config(home, {"WEIR_TOKEN": "", "WEIR_TOKEN_FILE": ""}).token == OPERATOR


@spoilt
def test_a_password_file_of_kafka_is_named(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    """A file named by WEIR_KAFKA_PASSWORD_FILE that holds no password is refused by name."""
    spoil(tmp_path / "password")
    environ = {
        "WEIR_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "WEIR_KAFKA_USERNAME": "weir",
        "WEIR_KAFKA_PASSWORD_FILE": str(tmp_path / "password"),
    }

    with pytest.raises(InvalidFieldError, match=said) as refused:
        kafka_config(tmp_path, environ)

    assert refused.value.field == "WEIR_KAFKA_PASSWORD_FILE"
