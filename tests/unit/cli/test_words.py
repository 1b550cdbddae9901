"""What the verbs say to one who types for the first time."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from broker.cli import weir
from broker.cli.period import to_ms
from broker.errors import InvalidFieldError

MIDNIGHT_MS = 1_795_478_400_000


def typed(*words: str) -> Result:
    """`weir …`, in an environment that names no exchange and no token."""
    env = {"WEIR_TOKEN": "", "WEIR_TOKEN_FILE": "", "WEIR_API_URL": "", "WEIR_HOME": ""}
    return CliRunner(env=env).invoke(weir, words, obj={})


def groups() -> list[tuple[str, ...]]:
    """The words before `--help` of every group."""
    context = click.Context(weir)
    names = [(name, weir.get_command(context, name)) for name in weir.list_commands(context)]
    return [(), *((name,) for name, found in names if isinstance(found, click.Group))]


@pytest.mark.parametrize("words", groups())
def test_help_is_not_cut(words: tuple[str, ...]) -> None:
    """Each line of a list of verbs is a whole sentence."""
    shown = typed(*words, "--help").output.splitlines()

    assert [line for line in shown[1:] if line.endswith("...")] == []


@pytest.mark.parametrize(
    ("words", "near"),
    [(("stauts",), "status"), (("subscription", "aprove"), "approve")],
)
def test_nearest_verb_is_named(words: tuple[str, ...], near: str) -> None:
    """A mistyped verb is answered with the nearest."""
    done = typed(*words)

    assert (done.exit_code, f"did you mean {near}" in done.output) == (2, True)


@pytest.mark.parametrize("act", ["suspend", "revoke", "reject"])
def test_reason_is_asked_for(act: str) -> None:
    """An act that needs a reason asks for the option, by its name."""
    assert "Missing option '--reason'" in typed("subscription", act, "gridco/forecast").output


def test_bare_price_is_wrapped(tmp_path: Path) -> None:
    """`weir rate` says how a price that `weir plan create` takes becomes a document."""
    price = tmp_path / "price.json"
    price.write_text(json.dumps({"currency": "EUR", "model": "flat", "amount": "1"}))

    done = typed("rate", str(price))

    assert (done.exit_code, "wrap it: {" in done.output) == (2, True)


@pytest.mark.parametrize("verb", [("up",), ("down",), ("status",), ("demo",), ("bench",)])
def test_home_that_is_a_file(verb: tuple[str, ...], tmp_path: Path) -> None:
    """A home that is no directory is refused in one line."""
    home = tmp_path / "file"
    home.write_text("")

    done = typed(*verb, "--home", str(home))

    assert isinstance(done.exception, InvalidFieldError)
    assert str(done.exception) == f"--home: {home} is a file; name a directory"


def test_up_needs_a_router() -> None:
    """No exchange comes up without a router."""
    assert "0 is not in the range" in typed("up", "--routers", "0").output


@pytest.mark.parametrize("verb", [("product", "show"), ("plan", "publish"), ("period", "show")])
def test_id_is_organisation_and_name(verb: tuple[str, ...]) -> None:
    """An id without its organisation is refused by its rule, before anybody is asked."""
    assert "must be organisation/name" in str(typed(*verb, "windco-turbines").exception)


def test_home_without_an_exchange(tmp_path: Path) -> None:
    """Where there is no exchange, the home is named and how to make or name one."""
    done = typed("product", "list", "--home", str(tmp_path))

    assert f"{tmp_path}: there is no exchange here; `weir up --home" in str(done.exception)


def test_remote_client_needs_bootstrap(tmp_path: Path) -> None:
    """Where there is no exchange, settings for a client need Kafka's address."""
    words = ["client", "properties", "--for", "python", "--account", "gridco/reader"]

    done = typed(*words, "--home", str(tmp_path))

    assert "--bootstrap HOST:PORT" in str(done.exception)
    assert "--security-protocol" in str(done.exception)


@pytest.mark.parametrize(
    ("said", "at_ms"),
    [
        ("2026-11-24Z", MIDNIGHT_MS),
        ("2026-11-24+01:00", MIDNIGHT_MS - 3_600_000),
        ("2026-11-24T00:00:00Z", MIDNIGHT_MS),
    ],
)
def test_date_is_its_midnight(said: str, at_ms: int) -> None:
    """A date with its offset is that day's first moment."""
    assert to_ms(said) == at_ms


@pytest.mark.parametrize("said", ["2027-01-01", "2027-01-01T00:00:00"])
def test_offset_is_asked_for(said: str) -> None:
    """A date or moment without its offset is refused, and what to add is said."""
    with pytest.raises(InvalidFieldError, match="add Z for UTC"):
        to_ms(said)
