"""Cast: the actors' processes, started with their settings in files of mode 0600."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from broker.errors import OperatingError

_END_TIMEOUT_S = 90.0
# A proxy in the environment cannot reach this machine's own registry.
_HERE = "127.0.0.1,localhost"


class Actor:
    """One program; `facts` holds what it said last, per key, `log` what it wrote to stderr.

    Args:
        role: module in this package.
        name: of its settings and log files in `directory`.
        told: its settings.
        directory: where they are kept.
    """

    def __init__(self, role: str, name: str, told: dict[str, Any], directory: Path) -> None:
        self.name = name
        self.facts: dict[str, Any] = {}
        path = directory / f"{name}.settings.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(told))
        self.log = directory / f"{name}.log"
        with self.log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"broker.local.demo.{role}", str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"NO_PROXY": _HERE, "no_proxy": _HERE},
            )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def running(self) -> bool:
        """False once the program has ended."""
        return self._process.poll() is None

    def finish(self) -> dict[str, Any]:
        """Tell it to stop, wait, and give its facts.

        Raises:
            OperatingError: it failed, or did not end in time.
        """
        if self._process.stdin is not None and self.running:
            self._process.stdin.close()
        return self.wait()

    def wait(self, timeout_s: float = _END_TIMEOUT_S) -> dict[str, Any]:
        """Wait until it ends by itself, and give its facts.

        Raises:
            OperatingError: it failed, or did not end in time.
        """
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise OperatingError(f"{self.name}: did not end within {timeout_s} s") from error
        self._listener.join(timeout_s)
        if code or not self.facts.get("done"):
            tail = self.log.read_text(errors="replace")[-400:]
            raise OperatingError(f"{self.name}: exit {code}, said {self.facts}; its log: {tail}")
        return self.facts

    def kill(self) -> None:
        """End it at once, whatever it does; for the way out."""
        if self.running:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            self.facts |= json.loads(line)
