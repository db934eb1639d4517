"""TimescaleDB (Apache edition) with pgaudit for the tests: Debian 13's packages.

On an older Debian it lives in a Debian 13 root of its own in the user's cache directory, since the
package needs a newer C library than the machine has.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.jars import cache_directory
from ecgstream.embedded.process import end, lock_directory, spawn, tail

INSTALL = "python -m tests.system.services install"

_PACKAGES = (
    *("postgresql-17", "postgresql-17-timescaledb", "postgresql-17-pgaudit"),
    *("python3", "python3-venv", "ca-certificates"),
)
_PROGRAMS = "/usr/lib/postgresql/17/bin"
_START_PATIENCE_S = 180.0
_PORT_TRIES = 5


def say(words: str) -> None:
    """Show progress, at once even in a pipe."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


def _debian() -> int:
    """This machine's Debian, 0 if it is none."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return 0
    release = dict(line.split("=", 1) for line in lines if "=" in line)
    version = release.get("VERSION_ID", "").strip('"')
    return int(version) if release.get("ID") == "debian" and version.isdigit() else 0


def debian13_root() -> Path:
    """Where the Debian 13 root is, or will be; the machine itself if that is a Debian 13."""
    return Path("/") if _debian() == 13 else cache_directory() / "trixie"


def timescale_is_here() -> bool:
    """Say whether TimescaleDB can be started."""
    root = debian13_root()
    return (root == Path("/") or os.geteuid() == 0) and not _lacking(root)


def _lacking(root: Path) -> list[str]:
    """Return the packages that a Debian has not."""
    known = root / "var/lib/dpkg/info"
    return [name for name in _PACKAGES if not (known / f"{name}.list").exists()]


def log_folder(url: str) -> Path:
    """Return where such a server writes its log; the URL is the superuser's."""
    with psycopg.connect(url) as connection:
        (data,) = connection.execute("SHOW data_directory").fetchone() or ("",)
    return debian13_root() / str(data).removeprefix("/") / "log"


def client_programs(folder: Path) -> Path:
    """Make commands that run the client programs of that root; return the folder, for PATH."""
    root = debian13_root()
    before = "" if root == Path("/") else f"chroot '{root}' "
    for name in ("psql", "pg_dump", "pg_dumpall", "pg_restore"):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {before}env LANG=C.UTF-8 {_PROGRAMS}/{name} "$@"\n')
        script.chmod(0o755)
    return folder


def install_timescale() -> None:
    """Install TimescaleDB unless it is here."""
    if timescale_is_here():
        return
    if not _debian():
        message = "TimescaleDB is installed by Debian's packages only, and this is no Debian: run it on one"
        raise ServiceUnavailableError(message)
    if os.geteuid() != 0:
        raise ServiceUnavailableError(f"TimescaleDB is not installed; as root: {INSTALL}")
    root = debian13_root()
    if root == Path("/"):
        apt(*_PACKAGES)
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_name("trixie.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            _debootstrap(root)
        elif lacking := _lacking(root):  # of an older version: servers may run in it, so it stays
            apt(*lacking, root=root)


def apt(*packages: str, root: Path = Path("/")) -> None:
    """Install Debian packages, as root."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        _show([*_within(root), "apt-get", "-q", *words], environment)


def _within(root: Path) -> list[str]:
    return [] if root == Path("/") else ["chroot", str(root)]


def _debootstrap(root: Path) -> None:
    if shutil.which("debootstrap") is None:
        apt("debootstrap")
    part = root.with_name("trixie.part")
    shutil.rmtree(part, ignore_errors=True)
    say(f"installing a Debian 13 with TimescaleDB in {root} (once, about a minute, 750 MB)")
    _show(["debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", "trixie", str(part)])
    shutil.rmtree(part / "var/cache/apt/archives", ignore_errors=True)
    part.rename(root)


def _show(argv: list[str], environment: dict[str, str] | None = None) -> None:
    """Run an installer, showing a line of what it says every few seconds; raise if it fails."""
    said: list[str] = []
    shown = started = time.monotonic()
    with subprocess.Popen(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.decode(errors="replace").rstrip())
            if time.monotonic() > shown + 5:
                shown = time.monotonic()
                say(f"  {argv[0]} {shown - started:3.0f} s: {said[-1]}")
    if process.returncode != 0:
        last = "\n".join(said[-20:])
        raise ServiceUnavailableError(f"{' '.join(argv)} failed with status {process.returncode}:\n{last}")


class Timescale:
    """A TimescaleDB server on a free loopback port, its data in a new directory that goes with it."""

    def __init__(self) -> None:
        self._root = debian13_root()
        self._directory: Path | None = None
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start the server and return the superuser's URL."""
        if not timescale_is_here():
            raise ServiceUnavailableError(f"TimescaleDB is not installed; as root: {INSTALL}")
        sweep(self._root / "tmp", "ecgstream-timescale-*")
        self._directory = Path(tempfile.mkdtemp(prefix="ecgstream-timescale-", dir=self._root / "tmp"))
        self._lock = lock_directory(self._directory)
        try:
            return self._start(self._directory)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and remove its data."""
        process, self._process = self._process, None
        if process is not None:
            end(process, 30.0, by=signal.SIGINT)
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
        self._directory = self._lock = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self, directory: Path) -> str:
        password = secrets.token_urlsafe(16)
        (directory / "password").write_text(password)
        if os.geteuid() == 0:
            words = ["chown", "-R", "postgres:postgres", self._inside(directory)]
            subprocess.run([*self._chroot(), *words], check=True)
        data, log = self._inside(directory / "data"), directory / "log"
        initdb = ["initdb", "-D", data, "-U", "postgres", "--auth=scram-sha-256", "--encoding=UTF8"]
        initdb += ["--locale=C.UTF-8", "--no-sync", f"--pwfile={self._inside(directory / 'password')}"]
        if self._spawn(initdb, log).wait() != 0:
            raise ServiceUnavailableError(f"TimescaleDB cannot make its data directory:\n{tail(log)}")
        for _ in range(_PORT_TRIES):
            port = _free_port()
            settings = {
                "listen_addresses": "127.0.0.1",
                "port": str(port),
                "unix_socket_directories": "",
                "shared_preload_libraries": "timescaledb,pgaudit",
                "logging_collector": "on",
                "log_destination": "jsonlog",
                "log_filename": "postgresql-%Y-%m-%d_%H%M%S.log",
                "log_timezone": "UTC",
                "timescaledb.telemetry_level": "off",
                "timezone": "UTC",
                "fsync": "off",  # the data goes with the server
            }
            options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
            self._process = self._spawn(["postgres", "-D", data, *options], log)
            if self._serves(self._process, directory / "data" / "postmaster.pid"):
                return f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
            end(self._process, 0.0)
            said = "\n".join(map(tail, [log, *(directory / "data" / "log").glob("*")]))
            if "in use" not in said:
                break
        raise ServiceUnavailableError(f"TimescaleDB does not start:\n{said}")

    def _chroot(self) -> list[str]:
        return _within(self._root)

    def _inside(self, path: Path) -> str:
        return f"/{path.relative_to(self._root)}"

    def _spawn(self, words: list[str], log: Path) -> subprocess.Popen[bytes]:
        environment = {"PATH": f"{_PROGRAMS}:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        argv = self._chroot()
        if os.geteuid() == 0:
            # A change of identity clears the death signal, so setpriv sets it again.
            argv += ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=INT"]
        assert self._lock is not None
        with log.open("ab") as file:
            argv = [*argv, f"{_PROGRAMS}/{words[0]}", *words[1:]]
            # Not PATH alone: our own chroot and setpriv are found by it too.
            return spawn(
                argv, env=environment, stdout=file, pass_fds=[self._lock], death_signal=signal.SIGINT
            )

    @staticmethod
    def _serves(process: subprocess.Popen[bytes], file: Path) -> bool:
        deadline = time.monotonic() + _START_PATIENCE_S
        while time.monotonic() < deadline and process.poll() is None:
            lines = file.read_text().splitlines() if file.exists() else []
            if len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
                return True
            time.sleep(0.02)
        return False


def sweep(directory: Path, pattern: str) -> None:
    """Remove what services left that were killed with their parent."""
    for left in directory.glob(pattern):
        with contextlib.suppress(OSError):
            if left.stat().st_mtime > time.time() - 60:
                continue  # its owner may be about to lock it
            lock = lock_directory(left, 0.0)
            if lock is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(lock)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
