"""Programs that check deploy/ and exports: installed once, by tests.system.services, into the user's cache.

promtool            Prometheus' own, of Debian's package, which is unpacked rather than installed: it would
                    start a server
dciodvfy, dcdump    of Debian's package dicom3tools, unpacked too: it brings libraries that these do not need
compose             the loader of Docker Compose (compose-go), built from its Go module
helm                Helm itself, built from its Go module
psql, systemd-analyze, mosquitto, mosquitto_pub
                    Debian's packages, where they are not here; where systemd runs, that of mosquitto starts a
                    broker on loopback
MirrorMaker 2       Apache Kafka's, from the Maven registry (``mirror_classpath``)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from ecgstream.embedded import jars
from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.jars import cache_directory
from tests.system.timescale import INSTALL, apt, say

HELM = "helm.sh/helm/v3/cmd/helm@v3.22.0"
COMPOSE = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"
MIRROR = ("org.apache.kafka:connect-mirror:4.3.0", "org.slf4j:slf4j-simple:1.7.36")
"""The newest that the registry has; it speaks with brokers of any version since 2.1."""
_UNPACKED = {"promtool": "prometheus", "dciodvfy": "dicom3tools", "dcdump": "dicom3tools"}
"""Programs and their Debian packages."""
_OF_DEBIAN = {
    "psql": "postgresql-client",
    "systemd-analyze": "systemd",
    "mosquitto": "mosquitto",
    "mosquitto_pub": "mosquitto-clients",
}


def _folder() -> Path:
    return cache_directory() / "tools"


def _which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")  # where servers lie


def _built(module: str) -> Path:
    """Where a Go program lies once it is built; another version lies elsewhere."""
    return _folder() / module.replace("/", "+") / Path(module.partition("@")[0]).name


def tool(name: str) -> str:
    """Return the path of a program.

    Raises:
        ServiceUnavailableError: it is not installed.
    """
    places = {
        **{program: _unpacked(package) / "usr" / "bin" / program for program, package in _UNPACKED.items()},
        "compose": _built(COMPOSE),
        "helm": _built(HELM),
    }
    found = str(places[name]) if name in places and places[name].exists() else _which(name)
    if found is None or (name in places and found != str(places[name])):
        raise ServiceUnavailableError(f"{name} is not installed: {INSTALL}")
    return found


def install_tools() -> None:
    """Install what is not here."""
    for module in (COMPOSE, HELM):
        if not _built(module).exists():
            _build(module)
    for package in set(_UNPACKED.values()):
        _unpack(package)
    _fetch_mirror()
    lacking = [package for program, package in _OF_DEBIAN.items() if _which(program) is None]
    if lacking and os.geteuid() != 0:
        raise ServiceUnavailableError(f"{', '.join(lacking)} not installed; as root: {INSTALL}")
    if lacking:
        apt(*lacking)


def _build(module: str) -> None:
    go = shutil.which("go")
    if go is None:
        raise ServiceUnavailableError(
            f"{module} is built with Go, which is not here: install Go 1.25 or newer"
        )
    say(f"building {module} (once, up to two minutes)")
    target = _built(module).parent
    part = target.with_name(f"{target.name}.part")
    environment = {**os.environ, "GOBIN": str(part), "GOFLAGS": "-mod=mod"}
    with tempfile.TemporaryDirectory() as elsewhere:  # not in a module of somebody's
        done = subprocess.run(
            [go, "install", module],
            cwd=elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise ServiceUnavailableError(f"go install {module} failed:\n{done.stderr[-2000:]}")
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)


def mirror_classpath() -> str:
    """Return Java's class path for MirrorMaker 2.

    Raises:
        ServiceUnavailableError: it is not installed.
    """
    listed = _folder() / "mirror" / "classpath"
    if not listed.exists():
        raise ServiceUnavailableError(f"MirrorMaker 2 is not installed: {INSTALL}")
    return listed.read_text()


def _fetch_mirror() -> None:
    target = _folder() / "mirror"
    if (target / "classpath").exists():
        return
    say(f"fetching {MIRROR[0]} (once, 35 MB)")
    jars._trust_what_the_machine_trusts()
    context = jars._maven(target)
    try:
        inputs, others = context.resolver.resolve([context.create_dependency(c) for c in MIRROR])
        paths = [str(dependency.artifact.resolve()) for dependency in [*inputs, *others]]
    except (OSError, RuntimeError) as error:
        raise ServiceUnavailableError(f"MirrorMaker 2 cannot be fetched: {error}") from error
    (target / "classpath").write_text(os.pathsep.join(paths))


def _unpacked(package: str) -> Path:
    return _folder() / package


def _unpack(package: str) -> None:
    target = _unpacked(package)
    if target.exists():
        return
    with tempfile.TemporaryDirectory(prefix="ecgstream-apt-") as folder:
        Path(folder).chmod(0o755)
        if os.geteuid() == 0:
            subprocess.run(["apt-get", "-q", "update"], check=False, capture_output=True)
        argv = ["apt-get", "-q", "download", package]
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
        packages = list(Path(folder).glob(f"{package}_*.deb"))
        if done.returncode != 0 or not packages:
            raise ServiceUnavailableError(f"{' '.join(argv)} failed:\n{done.stderr[-2000:]}")
        part = target.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        subprocess.run(["dpkg", "-x", packages[0], part], check=True)
        part.rename(target)
