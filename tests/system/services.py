"""The real parts of the tests: install, start and stop them.

    python -m tests.system.services install               Kafka's jars, TimescaleDB (and a Python 3.13)
    python -m tests.system.services run -- pytest …       start them, run the command, stop them
    python -m tests.system.services start | stop | status the same by hand
    python -m tests.system.services python313 -- ARGS     pytest ARGS under Debian 13's Python 3.13

TimescaleDB (Apache edition) is Debian 13's package. On an older Debian it lives in a Debian 13 root of its
own in the user's cache directory.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ecgstream.embedded import launch
from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.jars import cache_directory, kafka_classpath, kafka_is_here
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.embedded.process import end, lock_directory, spawn, tail

INSTALL = "python -m tests.system.services install"
KAFKA = "ECGSTREAM_TEST_KAFKA"
TIMESCALE = "ECGSTREAM_TEST_TIMESCALE"

_PACKAGES = ("postgresql-17", "postgresql-17-timescaledb", "python3", "python3-venv", "ca-certificates")
_PROGRAMS = "/usr/lib/postgresql/17/bin"
_CONTROL = "usr/share/postgresql/17/extension/timescaledb.control"
_CHECKOUT = Path(__file__).resolve().parents[2]
_START_PATIENCE_S = 60.0
_PORT_TRIES = 5


def say(words: str) -> None:
    """Show progress, at once even in a pipe."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


# --- TimescaleDB: where it is -------------------------------------------------------------------------------


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
    if root == Path("/"):
        return (root / _CONTROL).exists()
    mark = root / "ecgstream-packages"
    return os.geteuid() == 0 and mark.exists() and mark.read_text() == " ".join(_PACKAGES)


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
        _apt(*_PACKAGES)
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_name("trixie.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not timescale_is_here():
            _debootstrap(root)


def _apt(*packages: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        _show(["apt-get", "-q", *words], environment)


def _debootstrap(root: Path) -> None:
    if shutil.which("debootstrap") is None:
        _apt("debootstrap")
    part = root.with_name("trixie.part")
    shutil.rmtree(part, ignore_errors=True)
    say(f"installing a Debian 13 with TimescaleDB in {root} (once, about a minute, 750 MB)")
    _show(["debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", "trixie", str(part)])
    shutil.rmtree(part / "var/cache/apt/archives", ignore_errors=True)
    (part / "ecgstream-packages").write_text(" ".join(_PACKAGES))
    shutil.rmtree(root, ignore_errors=True)
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


# --- TimescaleDB: running it --------------------------------------------------------------------------------


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
        _sweep(self._root / "tmp", "ecgstream-timescale-*")
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
                "shared_preload_libraries": "timescaledb",
                "timescaledb.telemetry_level": "off",
                "timezone": "UTC",
                "fsync": "off",  # the data goes with the server
            }
            options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
            self._process = self._spawn(["postgres", "-D", data, *options], log)
            if self._serves(self._process, directory / "data" / "postmaster.pid"):
                return f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
            end(self._process, 0.0)
            if "in use" not in tail(log):
                break
        raise ServiceUnavailableError(f"TimescaleDB does not start:\n{tail(log)}")

    def _chroot(self) -> list[str]:
        return [] if self._root == Path("/") else ["chroot", str(self._root)]

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


def _sweep(directory: Path, pattern: str) -> None:
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


# --- both of them -------------------------------------------------------------------------------------------


@contextmanager
def services() -> Iterator[dict[str, str]]:
    """Start Kafka and TimescaleDB; give the environment that tells tests of them."""
    _sweep(Path(tempfile.gettempdir()), "ecgstream-kafka-*")
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="ecgstream-kafka-"))
        timescale = stack.enter_context(Timescale())
        kafka = stack.enter_context(EmbeddedKafka(Path(directory)))
        yield {KAFKA: kafka.bootstrap, TIMESCALE: timescale}


def run(command: list[str]) -> int:
    """Run a command with the services; return its exit status as a shell would."""
    # In the foreground, unlike what spawn() starts, and yet not to outlive us.
    tied = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(int(signal.SIGTERM)), "0"]
    with services() as addresses:
        status = subprocess.run([*tied, *command], env={**os.environ, **addresses}, check=False).returncode
    return status if status >= 0 else 128 - status


def _state() -> Path:
    return cache_directory() / "services.json"


def _kept() -> dict[str, str] | None:
    """The state of the services started by hand, None if they do not run."""
    directory = _state().with_name("services")
    lock = lock_directory(directory, 0.0)
    if lock is not None:
        os.close(lock)
        return None
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(_state().read_text()))
    return {}  # held, and not yet written


def keep() -> int:
    """Hold the services until SIGTERM (`start` runs this in the background)."""
    lock = lock_directory(_state().with_name("services"), 0.0)
    if lock is None:
        return 1
    _state().unlink(missing_ok=True)
    with services() as addresses:
        part = _state().with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps({**addresses, "pid": str(os.getpid())}))
        part.rename(_state())
        try:
            signal.pause()
        finally:
            _state().unlink(missing_ok=True)
    return 0


def start() -> int:
    """Start the services in the background and say what to put into the environment."""
    if _kept() is None:
        log = _state().with_suffix(".log")
        with log.open("wb") as file:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "tests.system.services", "keep"],
                cwd=_CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        while not (_kept() or {}).get("pid"):
            if keeper.poll() is not None:
                raise ServiceUnavailableError(f"the services do not start:\n{tail(log)}")
            time.sleep(0.1)
        keeper.returncode = 0  # it is not waited for: it stays
    return status()


def stop() -> int:
    """Stop the services that `start` left running."""
    kept = _kept()
    if kept and "pid" in kept:
        os.kill(int(kept["pid"]), signal.SIGTERM)
        deadline = time.monotonic() + 60
        while _kept() is not None:
            if time.monotonic() > deadline:
                raise ServiceUnavailableError(f"process {kept['pid']} does not stop")
            time.sleep(0.1)
    return 0


def status() -> int:
    """Say what is installed and what runs; 0 if it runs."""
    say(f"# Kafka's jars: {'here' if kafka_is_here() else f'missing ({INSTALL})'}")
    say(f"# TimescaleDB: {'here' if timescale_is_here() else f'missing (as root: {INSTALL})'}")
    kept = _kept()
    for name in (KAFKA, TIMESCALE):
        if kept and name in kept:
            sys.stdout.write(f"export {name}='{kept[name]}'\n")
    return 0 if kept else 3


# --- Python 3.13 --------------------------------------------------------------------------------------------

# A root of its own rather than a chroot, in which no user namespace may be made (the embedded PostgreSQL
# needs one); the mounts go with the namespace.
_ENTER = """\
set -e
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount --rbind /dev dev
mkdir -p .old
pivot_root . .old
umount -l /.old
shift
cd "$1"
shift
exec "$@"
"""
_BUNDLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy")


def python313(arguments: list[str]) -> int:
    """Run pytest under Debian 13's Python on a copy of the checkout's tracked files."""
    install_timescale()
    root = debian13_root()
    if os.geteuid() != 0:
        raise ServiceUnavailableError("the Debian 13 root is entered by root only")
    home = root / "srv" / f"ecgstream-{hashlib.sha256(os.fsencode(_CHECKOUT)).hexdigest()[:8]}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _copy_tracked(home / "checkout")
        environment = _network(root, home)
        inside = Path("/") / home.relative_to(root)
        _make_venv(root, home, inside, environment)
        python = str(inside / "venv/bin/python")
        return _enter(root, inside / "checkout", [python, "-m", "pytest", *arguments], environment)


def _copy_tracked(target: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=_CHECKOUT, check=True, capture_output=True).stdout
    shutil.rmtree(target, ignore_errors=True)
    for name in filter(None, os.fsdecode(listed).split("\0")):
        source = _CHECKOUT / name
        if source.is_file():  # else deleted and not yet committed
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


def _network(root: Path, home: Path) -> dict[str, str]:
    """Let the root reach the registry as this machine does; return its environment."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}
    if root != Path("/"):
        for name in ("resolv.conf", "hosts"):
            (root / "etc" / name).unlink(missing_ok=True)
            shutil.copy(Path("/etc") / name, root / "etc" / name)
    for key in _PIP_KEYS:
        pip = [sys.executable, "-m", "pip", "config", "get", f"global.{key}"]
        told = subprocess.run(pip, check=False, capture_output=True, text=True)
        if told.returncode == 0:
            environment[f"PIP_{key.replace('-', '_').upper()}"] = " ".join(told.stdout.split())
    for name, value in os.environ.items():
        local = "/" in value and Path(value.split()[0]).exists()  # a path of this machine means nothing there
        passed = name.startswith(("PIP_", "ECGSTREAM_")) or name.lower().endswith("_proxy")
        if (passed and not local) or name in {"CI", "TERM", "COLUMNS"}:
            environment[name] = value
    bundle = next((os.environ[name] for name in _BUNDLES if os.environ.get(name)), None)
    if bundle is not None and Path(bundle).is_file():
        shutil.copy(bundle, home / "ca.pem")
        inside = str(Path("/") / (home / "ca.pem").relative_to(root))
        environment.update({"PIP_CERT": inside, "SSL_CERT_FILE": inside, "REQUESTS_CA_BUNDLE": inside})
    return environment


def _make_venv(root: Path, home: Path, inside: Path, environment: dict[str, str]) -> None:
    """Install the locked dependencies, unless the lock file and the project's file are as before."""
    checkout = home / "checkout"
    files = [checkout / "requirements.lock", checkout / "pyproject.toml"]
    wanted = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    mark = home / "installed"
    found = mark.read_text().split() if mark.exists() else []
    if found == wanted:
        return
    mark.unlink(missing_ok=True)
    pip = [str(inside / "venv/bin/python"), "-m", "pip", "install", "-q", "--progress-bar=off"]
    commands = [[*pip, "--no-deps", "--no-build-isolation", "-e", "."]]
    if found[:1] != wanted[:1]:
        say("installing the locked dependencies for Python 3.13 (once a lock file)")
        shutil.rmtree(home / "venv", ignore_errors=True)
        commands = [
            ["/usr/bin/python3", "-m", "venv", str(inside / "venv")],
            [*pip, "--require-hashes", "-r", "requirements.lock"],
            *commands,
        ]
    for command in commands:
        status = _enter(root, inside / "checkout", command, environment)
        if status != 0:
            raise ServiceUnavailableError(f"{' '.join(command)} failed with status {status}")
    mark.write_text(" ".join(wanted))


def _enter(root: Path, directory: Path, command: list[str], environment: dict[str, str]) -> int:
    if root == Path("/"):
        argv, cwd = command, str(directory)
    else:
        argv = ["unshare", "--mount", "--propagation=private", "sh", "-c", _ENTER, "sh"]
        argv, cwd = [*argv, str(root), str(directory), *command], "/"
    status = subprocess.run(argv, cwd=cwd, env=environment, check=False).returncode
    return status if status >= 0 else 128 - status


# --- the command line ---------------------------------------------------------------------------------------


def install() -> int:
    """Install everything that is not here."""
    kafka_classpath()  # first: this much any user can do
    install_timescale()
    return 0


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = {"install": install, "start": start, "stop": stop, "status": status, "keep": keep}
    parser.add_argument("command", choices=[*commands, "run", "python313"])
    parser.add_argument(
        "rest", nargs=argparse.REMAINDER, metavar="-- …", help="a command, or pytest's arguments"
    )
    options = parser.parse_args(arguments)
    rest = options.rest[1:] if options.rest[:1] == ["--"] else options.rest
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0 if options.command == "keep" else 143))
    try:
        if options.command == "run":
            if not rest:
                parser.error("run what?")
            return run(rest)
        return python313(rest) if options.command == "python313" else commands[options.command]()
    except ServiceUnavailableError as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
