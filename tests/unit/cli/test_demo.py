"""`weir demo`: where its story goes, and where its facts."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from broker.cli import weir
from broker.local.demo import story

REPORT = {"source_records": 3, "valid_records": 3}
Demo = Callable[..., Result]


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Demo:
    """Types `weir demo …`, with a story of one line that agrees or does not."""

    def type_(*words: str, agrees: bool = True) -> Result:
        def tell(_: Path, *, console: Console, **__: object) -> story.Told:
            console.print("once upon a time")
            return story.Told(report=REPORT, agrees=agrees, market=None)  # type: ignore[arg-type]

        monkeypatch.setattr(story, "tell", tell)
        return CliRunner().invoke(weir, ["demo", "--home", str(tmp_path), *words], obj={})

    return type_


@pytest.mark.parametrize("agrees", [True, False])
def test_json_is_one_object(demo: Demo, tmp_path: Path, *, agrees: bool) -> None:
    """With --json the facts alone are on standard output, the story on standard error."""
    done = demo("--json", agrees=agrees)

    report = str(tmp_path / "demo" / "report.json")
    assert json.loads(done.stdout) == {"agrees": agrees, "report_file": report, **REPORT}
    assert "once upon a time" in done.stderr
    assert done.exit_code == (0 if agrees else 1)


def test_story_is_told_on_standard_output(demo: Demo) -> None:
    """Without it, the story is what is printed."""
    done = demo()

    assert "once upon a time" in done.stdout
    assert done.stderr == ""
