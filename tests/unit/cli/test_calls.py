"""What others wrote is shown, and moves no terminal."""

import json
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from broker.cli.calls import Call
from broker.cli.terminal import visible_json
from broker.client import Client

FOREIGN = "Wind é\x1b[2J\x9b2J\u202etxt\nnext"
ESCAPED = r"Wind é\x1b[2J\x9b2J\u202etxt\nnext"


@dataclass(frozen=True)
class Shown:
    """A value of the API."""

    title: str
    reasons: tuple[str, ...]


def call(directory: Path, *, as_json: bool) -> Call:
    """A verb's run, that asks nothing."""
    never = httpx.MockTransport(lambda _: httpx.Response(500))
    client = Client("http://weir.test", "hush", http=never)
    return Call(client, home=directory, as_json=as_json)


def test_words_of_others_are_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fields, tables and sentences show a control or invisible character as its escape."""
    value = Shown(FOREIGN, (FOREIGN,))
    run = call(tmp_path, as_json=False)

    run.describe(value)
    run.table([value], ["title", "reasons"])
    run.show(value, f"one: {FOREIGN}")

    shown = capsys.readouterr().out
    assert f"title    {ESCAPED}\n" in shown
    assert f"one: {ESCAPED}".replace(r"\n", "\n") in shown
    assert all(line.isprintable() for line in shown.split("\n"))


def test_json_of_others_is_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON keeps the text to the character, and prints none that moves a terminal."""
    value = Shown(FOREIGN, ())

    call(tmp_path, as_json=True).describe(value)

    shown = capsys.readouterr().out.removesuffix("\n")
    assert shown.isprintable()
    assert json.loads(shown)["title"] == FOREIGN


def test_indented_json_keeps_its_lines() -> None:
    """A document over several lines has no other character that moves a terminal."""
    shown = visible_json({"name": FOREIGN}, indent=2)

    assert all(line.isprintable() for line in shown.split("\n"))
    assert len(shown.split("\n")) == 3
    assert json.loads(shown)["name"] == FOREIGN
