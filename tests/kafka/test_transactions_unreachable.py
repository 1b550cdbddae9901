"""`weir transactions` where Kafka does not answer."""

import json
import socket
import subprocess
import sys
from pathlib import Path


def test_a_kafka_that_is_away_is_one_line(tmp_path: Path) -> None:
    """What it waits for, then one line, exit 1; the client library's own lines are not shown."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        bootstrap = f"127.0.0.1:{held.getsockname()[1]}"
        stored = {"bootstrap": bootstrap, "username": "u", "password": "p"}
        (tmp_path / "connections.json").write_text(json.dumps({"kafka": stored}))
        ended = subprocess.run(
            [sys.executable, "-m", "broker", "transactions", "list", "--home", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    assert ended.returncode == 1
    waits, why = ended.stderr.splitlines()
    assert waits == f"asking Kafka at {bootstrap} for open transactions"
    assert why.startswith(f"weir: Kafka at {bootstrap}: ")
