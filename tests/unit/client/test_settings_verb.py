"""`weir client properties --use registry`: what it needs, and what it does without."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from broker.cli import weir
from broker.client.properties import TOKEN_PLACEHOLDER

API = "http://weir.test:8080"
WORDS = ["client", "properties", "--for", "go", "--use", "registry", "--account", "gridco/reader"]


@pytest.mark.parametrize("named", [True, False])
def test_registry_settings_need_no_other_token(tmp_path: Path, *, named: bool) -> None:
    """Where the API is named, the token's file is enough, and without one a placeholder stands."""
    file = tmp_path / "gridco.token"
    file.write_text("of-gridco\n")
    token = ["--token-file", str(file)] if named else []
    env = {"WEIR_API_URL": API, "WEIR_TOKEN_FILE": "", "WEIR_TOKEN": ""}

    done = CliRunner(env=env).invoke(
        weir, [*WORDS, "--home", str(tmp_path / "none"), "--json", *token], obj={}
    )

    assert done.exception is None
    settings = json.dumps(json.loads(done.output))
    assert f"{API}/registry" in settings
    assert ("of-gridco" if named else TOKEN_PLACEHOLDER) in settings
