"""The unit tests under Debian 13's Python 3.13, in the root that TimescaleDB lives in."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ecgstream.embedded.errors import ServiceUnavailableError
from tests.system.timescale import debian13_root, install_timescale, say

_CHECKOUT = Path(__file__).resolve().parents[2]

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
    for key, value in _configured().items():
        environment[f"PIP_{key.replace('-', '_').upper()}"] = value
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


def _configured() -> dict[str, str]:
    """Return what this machine's pip has been told of registries in its files."""
    found = {}
    for key in _PIP_KEYS:
        pip = [sys.executable, "-m", "pip", "config", "get", f"global.{key}"]
        told = subprocess.run(pip, check=False, capture_output=True, text=True)
        if told.returncode == 0:
            found[key] = " ".join(told.stdout.split())
    return found


def pip_settings() -> dict[str, str]:
    """Return what pip needs to reach the registry as this machine does; ``cert`` is a file of it."""
    found = _configured()
    for key in _PIP_KEYS:
        value = os.environ.get(f"PIP_{key.replace('-', '_').upper()}")
        if value:
            found[key] = value
    bundle = next((os.environ[name] for name in _BUNDLES if os.environ.get(name)), None)
    if bundle is not None and Path(bundle).is_file():
        found["cert"] = bundle
    return found


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
