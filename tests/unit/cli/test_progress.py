"""A verb that takes longer than two seconds says what it does."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from broker.cli import period, product, progress, subscription
from broker.cli.calls import Call
from broker.cli.progress import AFTER_S

Rings = list[Callable[[], None]]


class Rung:
    """An alarm that a test rings itself."""

    def __init__(self, rings: Rings, after_s: float, ring: Callable[[], None]) -> None:
        assert after_s == AFTER_S
        self._rings, self._ring = rings, ring

    def start(self) -> None:
        """From now on the test may."""
        self._rings.append(self._ring)

    def cancel(self) -> None:
        """It may still ring: a thread does not stop because it is told to."""


@pytest.fixture
def rings() -> Rings:
    """What rings."""
    return []


def said(*, terminal: bool = False) -> Console:
    """A console that keeps what is said."""
    kind = {"TERM": "xterm"}
    return Console(file=io.StringIO(), force_terminal=terminal, width=200, _environ=kind)


def text(console: Console) -> str:
    """What was said so far."""
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_quick_verb_says_nothing(rings: Rings) -> None:
    """What ends before the alarm, and an alarm that rings after the end, say nothing."""
    console = said()
    with progress.progress("first", alarm=lambda s, f: Rung(rings, s, f), console=console) as say:
        say("second")
    rings[0]()

    assert text(console) == ""


def test_plain_lines(rings: Rings) -> None:
    """Without a terminal: a line when it begins, and one a change."""
    console = said()
    with progress.progress("first", alarm=lambda s, f: Rung(rings, s, f), console=console) as say:
        say("second [x]")
        rings[0]()
        say("second [x]")
        say("third")

    assert text(console).splitlines() == ["second [x]", "third"]


def test_live_line(rings: Rings) -> None:
    """On a terminal: one line, which is gone at the end."""
    console = said(terminal=True)
    with progress.progress("first [x]", alarm=lambda s, f: Rung(rings, s, f), console=console):
        rings[0]()

    assert "first [x]" in text(console)
    assert text(console).endswith("\x1b[2K")


def test_json_is_undisturbed(rings: Rings) -> None:
    """Where --json was asked for, nothing is said."""
    console = said()

    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def verb(*, as_json: bool) -> None:
        with progress.progress("x", alarm=lambda s, f: Rung(rings, s, f), console=console) as say:
            say("y")
        click.echo(as_json)

    done = CliRunner().invoke(verb, ["--json"])

    assert (done.output, rings, text(console)) == ("True\n", [], "")


def asked_again(*states: object) -> Callable[..., object]:
    """An API's answer that is another one each time."""
    left = list(states)
    return lambda *_, **__: left.pop(0) if len(left) > 1 else left[0]


def one(state: str) -> SimpleNamespace:
    """A product or a subscription."""
    return SimpleNamespace(id="windco/a", state=state, topic="t", delivery_topic="t")


def closed(*partitions: int, at: str | None = None) -> SimpleNamespace:
    """A close that waits for these partitions."""
    close = SimpleNamespace(product="windco/a", end_ms=0, seq=1, settled_at=at)
    missing = [SimpleNamespace(partition=number, why="no segment") for number in partitions]
    return SimpleNamespace(close=close, missing=missing, complete=not missing)


PRODUCTS = SimpleNamespace(
    publish=lambda _: one("publishing"),
    get=asked_again(one("publishing"), one("published")),
    close=lambda *_, **__: closed(0, 1).close,
    proof=asked_again(closed(0, 1), closed(1), closed(at="now")),
)
SUBSCRIPTIONS = SimpleNamespace(
    approve=lambda *_, **__: one("activating"), get=asked_again(one("activating"), one("active"))
)
CLIENT = SimpleNamespace(products=PRODUCTS, subscriptions=SUBSCRIPTIONS)


@pytest.mark.parametrize(
    ("module", "verb", "given", "told"),
    [
        (product, product.publish, {"product_id": "windco/a", "wait": True}, "windco/a: waiting"),
        (
            subscription,
            subscription.approve,
            {"subscription_id": "windco/a", "wait": True, "reason": ""},
            "windco/a: waiting",
        ),
        (
            period,
            period.close,
            {"product": "windco/a", "end": "now", "draft": False, "interim": True, "wait_s": 9.0},
            "windco/a: partition 1 has not proven",
        ),
    ],
)
def test_verb_that_waits_says_so(
    module: ModuleType,
    verb: click.Command,
    given: dict[str, object],
    told: str,
    *,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Publishing, approving and closing say what they wait for while they wait."""
    heard: list[str] = []

    @contextmanager
    def hear(words: str) -> Iterator[Callable[[str], None]]:
        heard.append(words)
        yield heard.append

    monkeypatch.setattr(module, "progress", hear)

    verb.callback.__wrapped__(Call(CLIENT, home=tmp_path, as_json=False), **given)  # type: ignore[union-attr,arg-type]

    assert [words for words in heard if words.startswith(told)]
