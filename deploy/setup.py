"""Set up a checkout: virtual environment, locked packages, Kafka's jars and start-up cache.

Run by make with any Python >= 3.11 and nothing else installed. Each step leaves a mark only when it
is complete, so an interrupted run goes on where it was. Usage: python deploy/setup.py VENV
"""

import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"


def main(target: Path) -> int:
    """Make the environment at `target`; 0 when it is complete."""
    if sys.version_info < (3, 11):  # noqa: UP036  this file must say it where it is not met
        print(f"weir needs Python >= 3.11, this is {sys.version.split()[0]}", file=sys.stderr)
        return 1
    python = target / "bin" / "python"
    mark = target / ".packages"
    begun = target / ".installing"
    wanted = sha256(LOCK.read_bytes()).hexdigest()
    # pip takes a package that it was killed over for a whole one: what it began is begun anew.
    if begun.exists() or not (target / ".created").exists():
        print("creating the virtual environment", flush=True)
        venv.create(target, with_pip=True, clear=True, symlinks=True)
        (target / ".created").touch()
    if not mark.exists() or mark.read_text() != wanted:
        print("installing packages, hashes checked (about a minute the first time)", flush=True)
        begun.touch()
        pip = [str(python), "-m", "pip", "install", "--quiet", "--no-input"]
        hashed = ["--require-hashes", "--only-binary", ":all:", "-r", str(LOCK)]
        ours = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
        for arguments in (hashed, ours):
            done = subprocess.run(
                [*pip, *arguments], check=False, stderr=subprocess.PIPE, text=True
            )
            if done.returncode:
                print(why(done.stderr), file=sys.stderr)
                return 1
        mark.write_text(wanted)
        begun.unlink()
    for module in ("broker.local.jars", "broker.local.kafka_training"):
        if subprocess.run([str(python), "-m", module], check=False, cwd=ROOT).returncode:
            return 1
    (target / ".weir-ready").touch()
    return 0


def why(said: str) -> str:
    """One sentence for what pip says in many."""
    if "connection broken" in said or "(from versions: none)" in said:
        return (
            "weir: the package index cannot be reached; connect to the network "
            "and run make again, it goes on where it was"
        )
    errors = [line for line in said.splitlines() if line.startswith("ERROR")]
    return "\n".join([*(errors or [said]), "weir: packages could not be installed; see above"])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
