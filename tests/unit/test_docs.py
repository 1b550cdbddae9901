"""What the documentation tells a reader to type exists: verbs, options, make targets, files.

`tests/kafka/test_docs.py` types the first ten minutes of seller and buyer.
"""

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from broker.alarms import Alarm
from broker.cli import weir

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
# Inline code, a line of a block, or a line after a prompt.
VERB = re.compile(r"`(weir [^`\n]+)`|^(?: {4}|\$ (?:\.venv/bin/)?)?(weir .+)$", re.MULTILINE)
TARGET = re.compile(r"`make ([a-z-]+)`|^\$ make (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
REDIRECTION = re.compile(r"\s[<>|].*$")


def mentions(pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    """(page, what stands there) of every page, each once."""
    found = {
        (str(page.relative_to(ROOT)), next(filter(None, match.groups())))
        for page in PAGES
        for match in pattern.finditer(page.read_text())
    }
    return sorted(found)


@pytest.mark.parametrize(("page", "line"), mentions(VERB))
def test_verb_takes_what_the_page_shows(page: str, line: str) -> None:
    """Every `weir …` names a real verb, and that verb takes the options and arguments shown."""
    words = shlex.split(REDIRECTION.sub("", line), comments=True)[1:]
    words = [word.strip("[]") for word in words]
    command: click.Command = weir
    context = click.Context(weir, info_name="weir")
    while isinstance(command, click.Group):
        if not words:
            pytest.fail(f"{page}: `{line}` names a group of verbs, not a verb")
        word = words.pop(0)
        found = command.get_command(context, word)
        assert found is not None, f"{page}: `{line}`: there is no verb {word!r}"
        context = click.Context(found, info_name=word, parent=context)
        command = found
    _, left, _ = command.make_parser(context).parse_args(words)
    assert left == [], f"{page}: `{line}`: {command.name} takes no {left}"


@pytest.mark.parametrize(("page", "target"), mentions(TARGET))
def test_target_is_in_the_makefile(page: str, target: str) -> None:
    """Every `make …` names a target."""
    assert target in TARGETS, f"{page}: make {target}"


@pytest.mark.parametrize(("page", "link"), mentions(LINK))
def test_link_leads_to_a_file(page: str, link: str) -> None:
    """Every relative link leads to a file or directory of the tree."""
    assert ((ROOT / page).parent / link).exists(), f"{page}: {link}"


def test_every_dependency_says_why() -> None:
    """docs/dependencies.md names each package that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.split(r"[><=~]", one)[0] for one in asked}
    page = (ROOT / "docs" / "dependencies.md").read_text()
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


def test_every_alarm_is_explained() -> None:
    """docs/operator.md says of each kind of alarm what it means and what to do."""
    page = (ROOT / "docs" / "operator.md").read_text()
    assert [kind.value for kind in Alarm if f"| `{kind.value}` |" not in page] == []
