"""The clause of every verb: exit 2 for the user's fault, 1 for ours; one line, no traceback."""

import json
from pathlib import Path

import click
import pytest

from broker import cli
from broker.cli import main
from broker.cli.secrets import check_new
from broker.client.probe_route import Address, addresses
from broker.config import KafkaConfig
from broker.errors import InvalidFieldError, SetupError
from broker.store.base import engine

VARIABLES = (
    "WEIR_HOME",
    "WEIR_API_URL",
    "WEIR_TOKEN",
    "WEIR_TOKEN_FILE",
    "WEIR_DATABASE_URL",
    "WEIR_KAFKA_BOOTSTRAP",
    "WEIR_KAFKA_USERNAME",
    "WEIR_KAFKA_PASSWORD",
    "WEIR_KAFKA_PASSWORD_FILE",
    "WEIR_KAFKA_SECURITY_PROTOCOL",
)


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def ended(*words: str) -> int | str | None:
    """The exit code of `weir …`."""
    with pytest.raises(SystemExit) as exit_:
        main(list(words))
    return exit_.value.code


def stored(home: Path, text: str) -> None:
    """Write the home's connections.json."""
    (home / "connections.json").write_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "{bad",
        "[]",
        '{"database_url": 3}',
        '{"database_url": "x", "kafka": []}',
        '{"database_url": "x", "kafka": {"bootstrap": "a:1", "colour": "red"}}',
        '{"database_url": "x", "kafka": {"bootstrap": "a:1", "username": 3, "password": ""}}',
    ],
)
def test_a_spoilt_connections_file_is_named(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line names the file and what is wrong in it; exit 2."""
    stored(tmp_path, text)

    assert ended("verify", "--home", str(tmp_path)) == 2

    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert str(tmp_path / "connections.json") in said[0]


def test_an_unreadable_token_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """WEIR_TOKEN_FILE that names no file is the user's fault: one line, exit 2."""
    stored(tmp_path, json.dumps({"api_url": "http://127.0.0.1:1"}))
    monkeypatch.setenv("WEIR_TOKEN_FILE", str(tmp_path / "nope"))

    assert ended("product", "list", "--home", str(tmp_path)) == 2

    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("weir: WEIR_TOKEN_FILE: ")


def _breaks(error: Exception) -> click.Command:
    @click.command()
    def breaks() -> None:
        """Break in a way that nobody foresaw."""
        raise error

    return breaks


def test_what_nobody_foresaw_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error that is none of ours ends with exit 1 and the first line of what it says."""
    monkeypatch.setattr(
        cli.LazyGroup, "get_command", lambda *_: _breaks(RuntimeError("first\nsecond"))
    )

    assert ended("breaks") == 1

    said = capsys.readouterr().err
    assert said == "weir: RuntimeError: first; weir --debug shows where\n"


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """With --debug the error passes on as it is."""
    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: _breaks(RuntimeError("first")))

    with pytest.raises(RuntimeError, match="first"):
        main(["--debug", "breaks"])


def test_our_fault_is_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service that fails is one line and exit 1."""
    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: _breaks(SetupError("it is taken")))

    assert ended("breaks") == 1
    assert capsys.readouterr().err == "weir: it is taken\n"


@pytest.mark.parametrize(
    "words",
    [
        ("bench", "--records", "0"),
        ("bench", "--records", "-5"),
        ("bench", "--faust-records", "0"),
        ("bench", "--rounds", "0"),
        ("router", "--metrics-port", "99999"),
        ("router", "--instance", "a/b c"),
        ("router", "--instance", ""),
        ("ledger", "--instance", ""),
    ],
)
def test_a_number_or_name_out_of_bounds_is_refused(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option is named before anything is read or started; exit 2."""
    assert ended(*words, "--home", str(tmp_path)) == 2
    assert words[1] in capsys.readouterr().err


def test_sasl_needs_a_user() -> None:
    """Kafka that wants a user is not asked without one; the variable is named."""
    kafka = KafkaConfig(bootstrap="127.0.0.1:1", username="", password="")

    with pytest.raises(InvalidFieldError, match="WEIR_KAFKA_USERNAME: is not set"):
        kafka.client()


@pytest.mark.parametrize(
    "url",
    ["foo", "mysql://u:hunter2@h/x", "postgresql://u:hunter2@h/x", "postgresql+psycopg://h:p"],
)
def test_a_database_url_of_another_kind_is_refused(url: str) -> None:
    """WEIR_DATABASE_URL is named, and its password is not said."""
    with pytest.raises(InvalidFieldError, match="WEIR_DATABASE_URL: must be") as refused:
        engine(url)

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("bootstrap", ["127.0.0.1:abc", "h:0", "h:65536", ":1", "h:", "h:9,,"])
def test_a_bootstrap_without_a_port_of_its_own_is_refused(bootstrap: str) -> None:
    """What is no host and port is named."""
    with pytest.raises(InvalidFieldError, match="--bootstrap: must be host:port"):
        addresses(bootstrap)


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    """The brackets are no part of the name that is looked up."""
    assert addresses("[::1]:9093,[::1]") == [Address("::1", 9093), Address("::1", 9092)]


def test_a_file_that_cannot_be_made_is_refused_before_the_secret_is_made(tmp_path: Path) -> None:
    """A directory that takes no file is found out first, and nothing stays where one could be."""
    (tmp_path / "leads").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InvalidFieldError, match=r"--out: .* cannot be made"):
        check_new(tmp_path / "leads")

    check_new(tmp_path / "new")
    assert [one.name for one in tmp_path.iterdir()] == ["leads"]
