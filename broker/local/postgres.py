"""Embedded PostgreSQL 18: one real server in a directory.

    DIR/password (0600)  ports.json  data/  postgres.log      as root data/ may lie elsewhere

Its programs come with a Python package. The server is a child in the foreground: `pg_ctl` would
leave a killed postmaster as a zombie that blocks the next start.
"""

import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from broker.errors import SetupError
from broker.local.child import STOP_TIMEOUT_S, Child, Command, reap, spawn, tail, wait_until
from broker.local.lock import DirectoryLock
from broker.local.ports import HOST, RememberedPorts
from broker.local.postgres_user import PostgresUser, postgres_user, programs, reachable
from broker.local.secret import kept_secret, write_secret

USER = "weir"
_PORT = "server"
# Measured: 0.5 s, 2 s after kill -9; recovery of a long log takes longer.
START_TIMEOUT_S = 60.0
_INITDB_TIMEOUT_S = 120
_ASK_TIMEOUT_S = 3


class EmbeddedPostgres:
    """One server in a directory of its own; a context manager, or `start` and `stop`.

    Args:
        directory: state, log and password; made where it does not exist.
        settings: server settings to add, e.g. `{"fsync": "off"}` for tests.
    """

    def __init__(self, directory: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.directory = directory.absolute()
        self.log = self.directory / "postgres.log"
        self._settings = dict(settings or {})
        self._lock = DirectoryLock(self.directory)
        self._child: Child | None = None
        self._ports = RememberedPorts(self.directory / "ports.json")
        self._seen_bytes = 0

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the database `weir`, password included."""
        return self._url("weir").replace("postgresql://", "postgresql+psycopg://")

    @property
    def address(self) -> str:
        """host:port."""
        return f"{HOST}:{self._ports.get(_PORT)}"

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """Its process id; None before the first start."""
        return self._child.pid if self._child else None

    def start(self, *, timeout_s: float = START_TIMEOUT_S) -> Self:
        """Run the server until it answers. Blocks; makes the database at the first start.

        Raises:
            SetupError: says which directory, the reason that the server gave, and the log.
        """
        if self.alive:
            return self
        try:
            self._start(timeout_s)
        except BaseException:
            self.stop()
            raise
        return self

    def launch(self) -> None:
        """Start the process, making its data first where needed, and return at once.

        A port that is taken is chosen anew at the first launch only: later, clients know it.

        Raises:
            SetupError: another process owns the directory, or it cannot be made.
        """
        self._lock.acquire()
        user = postgres_user()
        bin_directory = programs(user)
        data = reachable(self.directory, user) / "data"
        reap(self._command(bin_directory, data, user))
        if not (data / "ready").exists():
            self._initialise(bin_directory, data, user)
        if self._child is None:
            self._ports.usable([_PORT])
        self._seen_bytes = self.log.stat().st_size if self.log.exists() else 0
        self._child = spawn(self._command(bin_directory, data, user))

    def why(self) -> str:
        """Why the last launch failed, in words, and where to read on."""
        lines = tail(self.log, self._seen_bytes)
        serious = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
        said = (serious or lines or ["it gave no reason in the time allowed"])[-1]
        return f"{said}; the whole story is in {self.log}"

    def stop(self, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End it: sessions are cut, what was committed is safe. Repeatable."""
        if self._child is not None:
            self._child.stop(timeout_s=timeout_s)
        self._lock.release()

    def kill(self) -> None:
        """Kill -9, as a crash would; `start` brings it back with its data."""
        if self._child is not None:
            self._child.kill()
        self._lock.release()

    def ready(self) -> bool:
        """Whether our own process answers with its own password, and its database is there."""
        if not self.alive:
            return False
        try:
            self._make_database()
        except psycopg.OperationalError:
            return False
        return True

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def _start(self, timeout_s: float) -> None:
        self.launch()
        wait_until(lambda: not self.alive or self.ready(), timeout_s=timeout_s)
        if not self.ready():
            raise SetupError(f"PostgreSQL in {self.directory}: did not start: {self.why()}")

    def _initialise(self, bin_directory: Path, data: Path, user: PostgresUser) -> None:
        """initdb, marked as done by a file, so that one that was cut off begins anew."""
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(mode=0o700)
        user.own(data)
        password = data.with_name("password.init")
        write_secret(password, kept_secret(self.directory / "password"))
        user.own(password)
        methods = ["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        try:
            done = subprocess.run(
                [
                    *(str(bin_directory / "initdb"), "-D", str(data), "-U", USER),
                    *("--pwfile", str(password), "--no-locale", *methods, *locale),
                ],
                capture_output=True,
                text=True,
                check=False,
                timeout=_INITDB_TIMEOUT_S,
                cwd=data.parent,
                user=user.uid,
                extra_groups=user.groups,
            )
        finally:
            password.unlink()
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["it gave no reason"]
            raise SetupError(f"PostgreSQL in {self.directory}: cannot be made: {last[0]}")
        (data / "ready").touch()

    def _command(self, bin_directory: Path, data: Path, user: PostgresUser) -> Command:
        settings = {
            "listen_addresses": HOST,
            "port": str(self._ports.get(_PORT)),
            # No socket in the file system: its path may be too long, and one way in is enough.
            "unix_socket_directories": "",
            "log_min_messages": "warning",
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Command(
            argv=[str(bin_directory / "postgres"), "-D", str(data), *options],
            log=self.log,
            record=self.directory / "process.json",
            cwd=data.parent,
            user=user.uid,
            stop_signal=signal.SIGINT,
        )

    def _make_database(self) -> None:
        url = self._url("postgres")
        with psycopg.connect(url, autocommit=True, connect_timeout=_ASK_TIMEOUT_S) as session:
            named = session.execute("SELECT 1 FROM pg_database WHERE datname = 'weir'").fetchone()
            if named is None:
                session.execute("CREATE DATABASE weir")

    def _url(self, database: str) -> str:
        password = kept_secret(self.directory / "password")
        return f"postgresql://{USER}:{password}@{self.address}/{database}"
