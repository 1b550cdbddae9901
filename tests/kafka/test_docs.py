"""The documentation's commands, typed as they stand: seller's and buyer's first ten minutes."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.exchange import Exchange

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# In the order of the story: the buyer buys what the seller made.
TYPED = ("docs/seller.md", "docs/buyer.md")
# Minutes long, or they end the exchange: `tests/unit/test_docs.py` holds that they exist.
NOT_TYPED = re.compile(r"make [a-z-]+|\.venv/bin/weir status")
COMMAND_S = 120.0


def test_seller_and_buyer_get_through(exchange: Exchange, tmp_path: Path) -> None:
    """Each command exits 0, records are sent, and the buyer's own client reads them."""
    (tmp_path / ".weir").symlink_to(exchange.home)
    said = ""
    for page in TYPED:
        for kind, text in blocks(page):
            if kind == "python":
                name = text.split("\n", 1)[0].removeprefix("# ")
                (tmp_path / name).write_text(text)
            for command in commands(text) if kind == "console" else ():
                said += type_in(command, page, tmp_path)
    assert said.count("100 readings sent") == 2
    assert "100 readings, the last: {'turbine': 'T1'" in said
    assert exchange.billed("gridco/forecast") == 100


def test_every_command_is_typed_or_known() -> None:
    """A command on another page is one of the few that are not typed here."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    left = [
        (str(page.relative_to(ROOT)), command)
        for page in pages
        if str(page.relative_to(ROOT)) not in TYPED
        for kind, text in blocks(str(page.relative_to(ROOT)))
        if kind == "console"
        for command in commands(text)
        if not NOT_TYPED.fullmatch(command)
    ]
    assert left == []


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """(console or python, text) of each block, in order."""
    for match in BLOCK.finditer((ROOT / page).read_text()):
        yield match[1], match[2]


def commands(text: str) -> list[str]:
    """What stands after a prompt."""
    return [line[2:] for line in text.splitlines() if line.startswith("$ ")]


def type_in(command: str, page: str, directory: Path) -> str:
    """Run it in a shell beside the exchange; what it said."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=directory,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_S,
    )
    assert done.returncode == 0, f"{page}: $ {command}\n{done.stdout}{done.stderr}"
    return done.stdout
