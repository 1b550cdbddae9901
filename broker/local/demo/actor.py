"""What the demo's actors share: settings from a file, facts as JSON lines, an end that is told.

    python -m broker.local.demo.<actor> SETTINGS.json      (mode 0600: it holds a password)

Each actor is what its company would write: a stock client in a process of its own.
"""

import json
import sys
import threading
from pathlib import Path
from typing import Any


def settings(arguments: list[str]) -> dict[str, Any]:
    """The JSON object in the file named on the command line."""
    loaded: dict[str, Any] = json.loads(Path(arguments[0]).read_text())
    return loaded


def say(**facts: Any) -> None:
    """One line of facts to whoever started this program."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def told_to_stop() -> threading.Event:
    """Set when standard input ends or says anything."""
    event = threading.Event()

    def wait() -> None:
        sys.stdin.readline()
        event.set()

    threading.Thread(target=wait, daemon=True).start()
    return event
